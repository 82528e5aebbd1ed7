# Makes calls by gRPC that a kit would not: PORT, then `odd`, `token TOKEN`, `fill`, or `send`, which takes lists of bodies, one a
# line, as JSON. Prints an answer a line, as JSON.
import json, sys
import grpc
from google.rpc import error_details_pb2, status_pb2
from opentelemetry.proto.collector.logs.v1.logs_service_pb2 import ExportLogsServiceRequest, ExportLogsServiceResponse

LOGS = "/opentelemetry.proto.collector.logs.v1.LogsService/Export"
channel = grpc.insecure_channel(f"127.0.0.1:{sys.argv[1]}")


def call(name, body, path=LOGS, **more):
    answer = {"name": name, "code": "OK", "message": "", "retry": None, "rejected": 0}
    try:
        taken = ExportLogsServiceResponse.FromString(channel.unary_unary(path)(body, timeout=60, **more))
        answer["rejected"] = taken.partial_success.rejected_log_records
    except grpc.RpcError as error:
        answer["code"], answer["message"] = error.code().name, error.details()
        for key, value in error.trailing_metadata() or ():
            if key == "grpc-status-details-bin":
                retry = error_details_pb2.RetryInfo()
                if status_pb2.Status.FromString(value).details[0].Unpack(retry):
                    answer["retry"] = retry.retry_delay.seconds
    print(json.dumps(answer), flush=True)
    return answer["code"] == "OK"


def records(first, count):
    request = ExportLogsServiceRequest()
    logs = request.resource_logs.add().scope_logs.add().log_records
    for number in range(first, first + count):
        record = logs.add(time_unix_nano=1_795_000_000_000_000_000 + number * 1000, severity_number=9)
        record.body.string_value = f"record {number}"
    return request.SerializeToString()


if sys.argv[2] == "odd":
    call("empty", b"")
    call("one", records(1, 1))
    call("packed", records(2, 1), compression=grpc.Compression.Gzip)
    call("deflate", records(3, 1), compression=grpc.Compression.Deflate)
    call("no protobuf", b"\x0a\xff\xff")
    call("metrics", b"", path="/opentelemetry.proto.collector.metrics.v1.MetricsService/Export")
    call("too large", bytes((16 << 20) + 1))
    call("too large unpacked", bytes(65 << 20), compression=grpc.Compression.Gzip)
    call("last", records(4, 1))
elif sys.argv[2] == "token":
    call("without", records(1, 1))
    call("wrong", records(2, 1), metadata=[("authorization", "Bearer s3cre")])
    call("right", records(3, 1), metadata=[("authorization", f"Bearer {sys.argv[3]}")])
elif sys.argv[2] == "send":
    for line in sys.stdin:
        request = ExportLogsServiceRequest()
        resource = request.resource_logs.add()
        resource.resource.attributes.add(key="service.name").value.string_value = "shop"
        logs = resource.scope_logs.add().log_records
        for body in json.loads(line):
            logs.add(time_unix_nano=1_763_546_400_000_000_000, severity_number=9).body.string_value = body
        call("sent", request.SerializeToString())
else:
    first, count = 0, 20_000
    while call(str(first + count), records(first, count)):
        first += count
    # Somebody reads now: there is room again.
    sys.stdin.readline()
    while not call(str(first + 1), records(first, 1)):
        pass
