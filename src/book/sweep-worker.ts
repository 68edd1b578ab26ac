/** The other thread of a Sweeper: makes what it is told, one task after the other. */
import { parentPort } from 'node:worker_threads';
import { messageOf } from '../errors.js';
import { buffersOf, toTask, type AnswerMessage, type TaskMessage } from './sweep-message.js';
import { sweep } from './sweep.js';

const port = parentPort;
if (port === null) throw new Error('a sweep worker runs in a thread of its own');

let known = { columns: -1, ids: [] as string[] };

port.on('message', (message: TaskMessage) => {
  if (message.columns !== known.columns) known = { columns: message.columns, ids: [] };
  known.ids.length = message.knownIds;
  for (const id of message.newIds) known.ids.push(id);
  const told = answer(message);
  // What was made goes over without a copy; this thread keeps nothing of it.
  port.postMessage(told, told.failure === undefined ? buffersOf(told.swept) : []);
});

function answer(message: TaskMessage): AnswerMessage {
  try {
    return { number: message.number, swept: sweep(toTask(message, known.ids)) };
  } catch (error) {
    return { number: message.number, failure: messageOf(error) };
  }
}
