/**
 * The Node servers that the product is compared with, one by the first argument: `answer PORT BODY` only answers;
 * `request PORT ORIGIN` and `dispatch PORT ORIGIN` proxy by undici's Pool and check nothing.
 */
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import { pipeline } from 'node:stream';
import { Pool, type Dispatcher } from 'undici';

type Listener = (request: IncomingMessage, response: ServerResponse) => void;

const CONNECTIONS = 1_024;

function answering(body: string): Listener {
  return (_request, response) => {
    response.setHeader('content-type', 'application/json').end(body);
  };
}

/** As most people write it: a request, and its body piped on. */
function requesting(origin: string): Listener {
  const pool = new Pool(origin, { connections: CONNECTIONS });
  return (request, response) => {
    void pool.request(outgoing(request)).then(({ statusCode, headers, body }) => {
      response.writeHead(statusCode, headers);
      pipeline(body, response, () => undefined);
    });
  };
}

/** The fastest form there is: the dispatcher's events written straight into the response. */
function dispatching(origin: string): Listener {
  const pool = new Pool(origin, { connections: CONNECTIONS });
  return (request, response) => {
    pool.dispatch(outgoing(request), new Passage(response));
  };
}

function outgoing(request: IncomingMessage): Dispatcher.RequestOptions {
  const bodiless = request.method === 'GET' || request.method === 'HEAD';
  return {
    path: request.url ?? '/',
    method: request.method ?? 'GET',
    // As they came, hop-by-hop fields too: the least that a proxy can do.
    headers: request.rawHeaders,
    body: bodiless ? null : request,
  };
}

class Passage implements Dispatcher.DispatchHandler {
  private readonly response: ServerResponse;

  constructor(response: ServerResponse) {
    this.response = response;
  }

  onRequestStart(): void {
    // undici asks for the method; there is nothing to keep.
  }

  onResponseStart(
    _controller: Dispatcher.DispatchController,
    status: number,
    headers: Record<string, string | string[] | undefined>,
  ): void {
    this.response.writeHead(status, headers);
  }

  onResponseData(controller: Dispatcher.DispatchController, chunk: Buffer): void {
    if (this.response.write(chunk)) return;
    controller.pause();
    this.response.once('drain', () => {
      controller.resume();
    });
  }

  onResponseEnd(): void {
    this.response.end();
  }

  onResponseError(): void {
    this.response.destroy();
  }
}

const KINDS: Readonly<Record<string, (argument: string) => Listener>> = {
  answer: answering,
  request: requesting,
  dispatch: dispatching,
};

const [kind = '', port = '', argument = ''] = process.argv.slice(2);
const listener = KINDS[kind];
if (listener === undefined) throw new Error(`no such server: ${kind}`);
createServer(listener(argument)).listen(Number(port), '127.0.0.1');
process.once('SIGTERM', () => process.exit(0));
