// Logs COUNT requests with Winston as the HaloPSA document configures it: error.log and combined.log, 5 MB x 5.
// Every 20th fails by "Operation Failed", every 50th is answered 503, every 100th is never answered.
// usage: node log.js FOLDER COUNT
const path = require('path');
const { randomUUID } = require('crypto');
const winston = require('winston');
const [folder, count] = [process.argv[2], Number(process.argv[3])];
const format = winston.format.combine(
  winston.format.timestamp(),
  winston.format.errors({ stack: true }),
  winston.format.json(),
  winston.format.printf(({ timestamp, level, message, ...meta }) =>
    JSON.stringify({ timestamp, level: level.toUpperCase(), message, service: 'halopsa-integration', version: '1.0.0', ...meta })),
);
const file = (filename, more) =>
  new winston.transports.File({ filename: path.join(folder, filename), maxsize: 5242880, maxFiles: 5, ...more });
const logger = winston.createLogger({
  level: 'info', format, defaultMeta: { service: 'halopsa-integration' },
  transports: [file('error.log', { level: 'error' }), file('combined.log')],
});
const pause = (ms) => new Promise((done) => setTimeout(done, ms));
(async () => {
  for (let n = 1; n <= count; n++) {
    const requestId = randomUUID();
    logger.info('API Request Started', { requestId, method: n % 2 ? 'POST' : 'GET', url: `/api/leads/${n}`, headers: { 'content-type': 'application/json' }, body: { leadId: n }, ip: '10.0.0.1' });
    if (n % 100 === 0) { /* never answered */ }
    else if (n % 20 === 0) {
      const error = new Error('upstream responded 500');
      logger.error('Operation Failed', { event: 'operation.error', operation: 'sync', error: error.message, stack: error.stack, requestId });
    } else logger.info('API Request Completed', { requestId, statusCode: n % 50 === 0 ? 503 : 200, duration: n % 700, responseSize: 100 });
    // Between requests the process does other things, as a server does. In one burst Winston itself loses what its
    // stream buffers (16 KB) at every rotation (seen with 3.13, 3.17 and 3.19), and now and then all the same: the
    // test counts what was written.
    await new Promise(setImmediate);
    if (n % 500 === 0) await pause(30);
  }
  logger.on('finish', () => setTimeout(() => process.exit(0), 300));
  logger.end();
})();
