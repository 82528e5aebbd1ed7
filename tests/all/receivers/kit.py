# Sends spans and a thousand log records by OpenTelemetry's kit for Python: PORT, http or grpc. Each signal is packed differently.
import sys, time
from opentelemetry import trace
from opentelemetry._logs import LogRecord, SeverityNumber
from opentelemetry.sdk._logs import LoggerProvider
from opentelemetry.sdk._logs.export import BatchLogRecordProcessor
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor

port, protocol = sys.argv[1:3]
base = f"http://127.0.0.1:{port}"
if protocol == "grpc":
    from grpc import Compression
    from opentelemetry.exporter.otlp.proto.grpc._log_exporter import OTLPLogExporter
    from opentelemetry.exporter.otlp.proto.grpc.trace_exporter import OTLPSpanExporter
    spans = OTLPSpanExporter(base, insecure=True, compression=Compression.Gzip)
    logs = OTLPLogExporter(base, insecure=True)
else:
    from opentelemetry.exporter.otlp.proto.http import Compression
    from opentelemetry.exporter.otlp.proto.http._log_exporter import OTLPLogExporter
    from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
    spans = OTLPSpanExporter(base + "/v1/traces", compression=Compression.Gzip)
    logs = OTLPLogExporter(base + "/v1/logs")
resource = Resource.create({"service.name": "shop"})
tracers = TracerProvider(resource=resource)
tracers.add_span_processor(BatchSpanProcessor(spans))
loggers = LoggerProvider(resource=resource)
loggers.add_log_record_processor(BatchLogRecordProcessor(logs))
tracer, logger = tracers.get_tracer("shop"), loggers.get_logger("shop")
with tracer.start_as_current_span("checkout", kind=trace.SpanKind.SERVER):
    with tracer.start_as_current_span("POST", kind=trace.SpanKind.CLIENT, attributes={"url.full": "https://bank.example/charges"}) as span:
        span.record_exception(TimeoutError("no answer"))
for n in range(1000):
    logger.emit(LogRecord(timestamp=time.time_ns(), body=f"log {n}", severity_number=SeverityNumber.INFO, severity_text="INFO"))
tracers.shutdown()
loggers.shutdown()
