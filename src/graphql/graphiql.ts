import { readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import path from 'node:path';
import type { FastifyInstance } from 'fastify';

const require = createRequire(import.meta.url);

/** Nothing comes from elsewhere, no script stands in the page, and nobody may frame it. The editor sets styles of its own. */
const POLICY = [
  "default-src 'none'",
  "script-src 'self'",
  "style-src 'self' 'unsafe-inline'",
  "connect-src 'self'",
  "img-src 'self' data:",
  'font-src data:',
  "base-uri 'none'",
  "form-action 'none'",
  "frame-ancestors 'none'",
].join('; ');

const HEADERS = {
  'content-security-policy': POLICY,
  'x-content-type-options': 'nosniff',
  'referrer-policy': 'no-referrer',
  'cache-control': 'no-cache',
};

const PAGE = `<!doctype html>
<html lang="en">
  <head>
    <meta charset="utf-8">
    <title>Backstop</title>
    <link rel="icon" href="data:,">
    <link rel="stylesheet" href="/graphiql/graphiql.css">
    <link rel="stylesheet" href="/graphiql/page.css">
  </head>
  <body>
    <div id="graphiql"></div>
    <script src="/graphiql/react.js"></script>
    <script src="/graphiql/react-dom.js"></script>
    <script src="/graphiql/graphiql.js"></script>
    <script src="/graphiql/start.js"></script>
  </body>
</html>
`;

const STYLE = 'html, body, #graphiql { height: 100%; margin: 0; }\n';

/** The token goes into the tab of headers; it is not kept when the page is closed. */
const START = `const subscriptionUrl = location.origin.replace(/^http/, 'ws') + '/graphql';
ReactDOM.createRoot(document.getElementById('graphiql')).render(
  React.createElement(GraphiQL, {
    fetcher: GraphiQL.createFetcher({ url: '/graphql', subscriptionUrl }),
    shouldPersistHeaders: false,
    defaultQuery: '{ markets { symbol status markPrice { price at } } }',
  }),
);
`;

const SCRIPT = 'text/javascript; charset=utf-8';
const CSS = 'text/css; charset=utf-8';

/** Of a package: not every one of them lets its files be asked for by name. */
function fileOf(name: string, file: string): string {
  return readFileSync(path.join(path.dirname(require.resolve(`${name}/package.json`)), file), 'utf8');
}

/** An editor for queries in the browser, from packages that are installed with the service. */
export function serveGraphiql(app: FastifyInstance): void {
  const files: readonly (readonly [url: string, type: string, text: string])[] = [
    ['/graphiql', 'text/html; charset=utf-8', PAGE],
    ['/graphiql/page.css', CSS, STYLE],
    ['/graphiql/graphiql.css', CSS, fileOf('graphiql', 'graphiql.min.css')],
    ['/graphiql/react.js', SCRIPT, fileOf('react', 'umd/react.production.min.js')],
    ['/graphiql/react-dom.js', SCRIPT, fileOf('react-dom', 'umd/react-dom.production.min.js')],
    ['/graphiql/graphiql.js', SCRIPT, fileOf('graphiql', 'graphiql.min.js')],
    ['/graphiql/start.js', SCRIPT, START],
  ];
  for (const [url, type, text] of files) {
    app.get(url, (_request, reply) => reply.headers(HEADERS).type(type).send(text));
  }
}
