// Sends spans and a thousand log records by OpenTelemetry's kit for JavaScript: PORT, http or grpc. Each signal is packed differently.
const [port, protocol] = process.argv.slice(2);
const kit = (name) => require(`@opentelemetry/${name}`);
const { SpanKind, trace, context, diag, DiagConsoleLogger, DiagLogLevel } = kit('api');
const { LoggerProvider, BatchLogRecordProcessor } = kit('sdk-logs');
const { NodeTracerProvider, BatchSpanProcessor } = kit('sdk-trace-node');
const { resourceFromAttributes } = kit('resources');
const { OTLPLogExporter } = kit(`exporter-logs-otlp-${protocol}`);
const { OTLPTraceExporter } = kit(`exporter-trace-otlp-${protocol}`);

diag.setLogger(new DiagConsoleLogger(), DiagLogLevel.WARN);
const base = `http://127.0.0.1:${port}`;
const url = (path) => (protocol === 'grpc' ? base : base + path);
const resource = resourceFromAttributes({ 'service.name': 'shop' });
const spans = new OTLPTraceExporter({ url: url('/v1/traces'), compression: 'gzip' });
const logs = new OTLPLogExporter({ url: url('/v1/logs') });
const tracers = new NodeTracerProvider({ resource, spanProcessors: [new BatchSpanProcessor(spans)] });
const loggers = new LoggerProvider({ resource, processors: [new BatchLogRecordProcessor({ exporter: logs })] });
const tracer = tracers.getTracer('shop');
const logger = loggers.getLogger('shop');

const checkout = tracer.startSpan('checkout', { kind: SpanKind.SERVER });
const below = trace.setSpan(context.active(), checkout);
const attributes = { 'url.full': 'https://bank.example/charges' };
const call = tracer.startSpan('POST', { kind: SpanKind.CLIENT, attributes }, below);
call.recordException(new Error('no answer'));
call.end();
checkout.end();
for (let n = 0; n < 1000; n += 1) {
  logger.emit({ body: `log ${n}`, severityNumber: 9, severityText: 'INFO', timestamp: Date.now() });
}
tracers.shutdown().then(() => loggers.shutdown());
