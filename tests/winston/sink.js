// Receivers of notifications: a real mail server (smtp-server) and an HTTP server, which write down what they take, a JSON
// object a line. `POST /fail?n=3` makes the next three, of mail or HTTP, be refused; GET / gives what was taken so far.
const fs = require('fs');
const http = require('http');
const { SMTPServer } = require('smtp-server');
const [httpPort, mailPort, cert, key, user, password] = process.argv.slice(2);
const taken = [];
let refuse = 0;

const refused = () => refuse > 0 && refuse-- > 0;

http.createServer((request, response) => {
  let body = '';
  request.on('data', (part) => { body += part; });
  request.on('end', () => {
    const url = new URL(request.url, 'http://localhost');
    if (url.pathname === '/fail') { refuse = Number(url.searchParams.get('n')); return response.end(); }
    if (request.method === 'GET') return response.end(JSON.stringify(taken));
    if (refused()) { response.statusCode = 503; return response.end('try again later'); }
    taken.push({ by: 'http', path: url.pathname, headers: request.headers, body: JSON.parse(body) });
    response.end('ok');
  });
}).listen(Number(httpPort), '127.0.0.1', () => {
  const tls = cert ? { key: fs.readFileSync(key), cert: fs.readFileSync(cert) } : {};
  new SMTPServer({
    ...tls,
    hideSTARTTLS: !cert,
    authOptional: !user,
    onAuth: (auth, session, done) =>
      auth.username === user && auth.password === password ? done(null, { user }) : done(new Error('not let in')),
    onData(stream, session, done) {
      let text = '';
      stream.on('data', (part) => { text += part; });
      stream.on('end', () => {
        if (refused()) { const error = new Error('try again later'); error.responseCode = 451; return done(error); }
        const { envelope, secure, user } = session;
        taken.push({ by: 'mail', from: envelope.mailFrom.address, to: envelope.rcptTo.map((to) => to.address), secure, user, text });
        done();
      });
    },
  }).listen(Number(mailPort), '127.0.0.1', () => console.log('ready'));
});
