// The service of HaloPSA and log tracking, as far as it is watched: /metrics by prom-client with their metrics, /health as
// each of them answers. GET /set?apollo=down makes a check fail, /work?n=10 does work that is measured.
// usage: node service.js PORT
const http = require('http');
const client = require('prom-client');
client.collectDefaultMetrics();
const counter = (name, labelNames) => new client.Counter({ name, help: name, labelNames });
const gauge = (name, labelNames) => new client.Gauge({ name, help: name, labelNames });
const requests = counter('http_requests_total', ['method', 'route', 'status_code']);
const duration = new client.Histogram({ name: 'http_request_duration_seconds', help: 'Duration', labelNames: ['method', 'route'], buckets: [0.1, 0.5, 1, 2, 5, 10] });
const queue = gauge('queue_size', ['queue_name']);
const syncs = counter('lead_sync_total', ['source', 'status']);
const active = gauge('db_connections_active', []);
const response = gauge('response_time_ms', ['service']);
const cpu = gauge('cpu_usage_percent', ['service']);
queue.set({ queue_name: 'leads' }, 17);
active.set(4);
response.set({ service: 'auth' }, 42);
cpu.set({ service: 'auth' }, 12.5);
let apollo = 'healthy';
const work = (n) => {
  for (let i = 0; i < n; i++) {
    requests.inc({ method: 'GET', route: '/po/{id},x="1"', status_code: i % 10 ? '200' : '503' });
    duration.observe({ method: 'GET', route: '/po/{id},x="1"' }, i % 10 ? 0.05 : 1.5);
    syncs.inc({ source: 'apollo', status: i % 5 ? 'success' : 'failed' });
  }
};
work(100);
const json = (res, code, body) => { res.writeHead(code, { 'content-type': 'application/json' }); res.end(JSON.stringify(body)); };
http.createServer(async (req, res) => {
  const url = new URL(req.url, 'http://localhost');
  if (url.pathname === '/metrics') { res.setHeader('content-type', client.register.contentType); res.end(await client.register.metrics()); }
  else if (url.pathname === '/work') { work(Number(url.searchParams.get('n'))); res.end(); }
  else if (url.pathname === '/set') { apollo = url.searchParams.get('apollo'); res.end(); }
  else if (url.pathname === '/health') {
    const checks = {
      database: { status: 'healthy', response_time: Date.now() },
      halopsa: { status: 'healthy', response_time: 41 },
      apollo: apollo === 'healthy' ? { status: 'healthy', response_time: 12 } : { status: 'unhealthy', error: 'timeout of 5000ms exceeded' },
      system: { status: 'healthy', memory: { rss: Math.round(process.memoryUsage().rss / 1048576) } },
    };
    const well = apollo === 'healthy';
    json(res, well ? 200 : 503, { status: well ? 'healthy' : 'unhealthy', timestamp: new Date().toISOString(), version: '1.2.3', uptime: process.uptime(), checks });
  } else if (url.pathname === '/tracking/health') {
    json(res, 200, { status: 'healthy', timestamp: new Date().toISOString(), database: { status: 'connected', currentTime: new Date().toISOString(), version: 'PostgreSQL 15.x', totalConnections: 5, idleConnections: 3, waitingConnections: 0 } });
  } else json(res, 404, {});
}).listen(Number(process.argv[2]), '127.0.0.1', () => console.log('ready'));
