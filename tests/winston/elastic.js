// Logs COUNT requests with Winston to Elasticsearch, as the HaloPSA document configures its transport. Every 20th fails by
// "Operation Failed", every 100th is never answered.
// usage: node elastic.js NODE PREFIX COUNT
const { randomUUID } = require('crypto');
const winston = require('winston');
const { Client } = require('@elastic/elasticsearch');
const { ElasticsearchTransport } = require('winston-elasticsearch');
const [node, indexPrefix, count] = [process.argv[2], process.argv[3], Number(process.argv[4])];
const transport = new ElasticsearchTransport({
  level: 'info', indexPrefix, client: new Client({ node }), flushInterval: 200, bufferLimit: 100000,
  transformer: (data) => ({
    '@timestamp': data.timestamp, level: data.level, message: data.message, service: 'halopsa-integration', ...data.meta,
  }),
});
const format = winston.format.combine(winston.format.timestamp(), winston.format.errors({ stack: true }), winston.format.json());
const logger = winston.createLogger({ level: 'info', format, transports: [transport] });
transport.on('error', (error) => { console.error(error); process.exit(1); });
(async () => {
  for (let n = 1; n <= count; n++) {
    const requestId = randomUUID();
    logger.info('API Request Started', { requestId, method: n % 2 ? 'POST' : 'GET', url: `/api/leads/${n}`, headers: { 'content-type': 'application/json' }, body: { leadId: n } });
    if (n % 100 === 0) { /* never answered */ }
    else if (n % 20 === 0) logger.error('Operation Failed', { event: 'operation.error', operation: 'sync', error: 'upstream responded 500', requestId });
    else logger.info('API Request Completed', { requestId, statusCode: n % 50 === 0 ? 503 : 200, duration: n % 700, responseSize: 100 });
    if (n % 100 === 0) await new Promise((done) => setTimeout(done, 20));
  }
  await transport.flush();
  logger.end();
})();
