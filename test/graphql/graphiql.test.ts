import vm from 'node:vm';
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { buildClientSchema, getIntrospectionQuery, parse, validate, type IntrospectionQuery } from 'graphql';
import { startApi, type TestApi } from './api.js';

const PATHS = /\b(?:src|href)="([^"]*)"/g;

describe('GraphiQL', () => {
  let api: TestApi;
  beforeAll(async () => {
    api = await startApi();
  });
  afterAll(() => api.stop());

  const get = (url: string) => api.server.app.inject({ url });
  const named = async (): Promise<string[]> =>
    [...(await get('/graphiql')).body.matchAll(PATHS)].map(([, url = '']) => url).filter((url) => url !== 'data:,');

  it('is served with everything that its page names, from here alone', async () => {
    const page = await get('/graphiql');
    expect([page.statusCode, page.headers['content-type']]).toEqual([200, 'text/html; charset=utf-8']);
    const urls = await named();
    expect(urls).toHaveLength(6);
    for (const url of urls) {
      expect(url).toMatch(/^\/graphiql\/[a-z-]+\.(js|css)$/);
      const file = await get(url);
      const type = url.endsWith('.js') ? 'text/javascript; charset=utf-8' : 'text/css; charset=utf-8';
      expect([url, file.statusCode, file.headers['content-type'], file.body === '']).toEqual([url, 200, type, false]);
      expect(file.headers['x-content-type-options']).toBe('nosniff');
    }
  });

  it('may load nothing from elsewhere, and run no script that stands in a page', async () => {
    for (const url of ['/graphiql', ...(await named())]) {
      const policy = String((await get(url)).headers['content-security-policy']);
      const directives = new Map(
        policy.split('; ').map((directive): [string, string[]] => {
          const [name = '', ...sources] = directive.split(' ');
          return [name, sources];
        }),
      );
      expect(directives.get('default-src')).toEqual([`'none'`]);
      expect(directives.get('script-src')).toEqual([`'self'`]);
      expect(directives.get('connect-src')).toEqual([`'self'`]);
      expect(directives.get('frame-ancestors')).toEqual([`'none'`]);
      const sources = new Set([...directives.values()].flat());
      expect([...sources].sort()).toEqual([`'none'`, `'self'`, `'unsafe-inline'`, 'data:']);
    }
    const { body } = await get('/graphiql');
    expect(body).not.toMatch(/<script(?![^>]* src=)|<style|\son[a-z]+=|\sstyle=|javascript:/i);
    const styles = (await get('/graphiql/graphiql.css')).body;
    expect(styles).not.toMatch(/@import|url\((?!["']?data:)/);
  });

  it('starts with what the scripts before it define, and with a query that the contract knows', async () => {
    const rendered: unknown[] = [];
    const created: Record<string, unknown>[] = [];
    // As a browser, as far as the last script goes.
    const page = vm.createContext({
      location: { origin: 'http://here' },
      document: { getElementById: (id: string) => id },
      React: { createElement: (_type: unknown, props: Record<string, unknown>) => created.push(props) },
      ReactDOM: { createRoot: (place: string) => ({ render: () => rendered.push(place) }) },
      GraphiQL: { createFetcher: (options: unknown) => options },
    });
    vm.runInContext((await get('/graphiql/start.js')).body, page);
    expect(rendered).toEqual(['graphiql']);
    const [props] = created;
    expect(props?.['fetcher']).toEqual({ url: '/graphql', subscriptionUrl: 'ws://here/graphql' });
    expect(props?.['shouldPersistHeaders']).toBe(false);
    expect((await get('/graphiql')).body).toContain('<div id="graphiql">');
    const { data } = (await api.ask(getIntrospectionQuery())) as { data: IntrospectionQuery };
    const schema = buildClientSchema(data);
    expect(validate(schema, parse(String(props?.['defaultQuery'])))).toEqual([]);
    const scripts = await Promise.all(['react', 'react-dom', 'graphiql'].map((name) => get(`/graphiql/${name}.js`)));
    const names = ['React', 'ReactDOM', 'GraphiQL'];
    for (const [k, { body }] of scripts.entries()) expect(body).toMatch(new RegExp(`\\.${names[k] ?? ''} ?= ?`));
  });

  it('goes with the contract: where that is not shown, there is no page', async () => {
    const closed = await startApi({ limits: { introspection: false } });
    try {
      for (const url of ['/graphiql', ...(await named())])
        expect([url, (await closed.server.app.inject({ url })).statusCode]).toEqual([url, 404]);
    } finally {
      await closed.stop();
    }
  });
});
