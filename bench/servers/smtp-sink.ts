/** A mail server that reads every mail to its end and keeps none. `node smtp-sink.js PORT`; over the channel: how many it took. */
import { SMTPServer } from 'smtp-server';

let taken = 0;
const server = new SMTPServer({
  logger: false,
  disabledCommands: ['STARTTLS', 'AUTH'],
  disableReverseLookup: true,
  onData(stream, _session, done) {
    stream.resume();
    stream.on('end', () => {
      taken += 1;
      done();
    });
  },
});
// A client that goes away ends its own session only.
server.on('error', () => undefined);
server.listen(Number(process.argv[2]), '127.0.0.1');
process.on('message', () => process.send?.(taken));
