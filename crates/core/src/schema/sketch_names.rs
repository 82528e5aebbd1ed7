//! The names that columns of integration tables usually have, and the words of their statuses.

use super::Target;
use crate::model::Status;

/// A name as it is compared: the last step of a path, in lower case, letters and digits alone.
pub(super) fn normalised(path: &str) -> String {
    let last = path.rsplit('.').next().unwrap_or(path);
    last.chars().filter(char::is_ascii_alphanumeric).map(|c| c.to_ascii_lowercase()).collect()
}

/// Words with a blank between them, the best first.
type Names = &'static str;

/// The targets in the order in which they choose, each with the usual names of its columns, the best first.
pub(super) const NAMES: &[(&str, Target, Names)] = &[
    (
        "started_at",
        Target::StartedAt,
        "startedat starttime startdate started startedon starttimestamp begantime beganat begin began beginat \
         begintime start startdttm timestart requestedat requesttime requesttimestamp requestdate calledat occurredat eventtime \
         eventtimestamp eventdate executedat executiondate executiontime timestamp ts time datetime at \
         loggedat logtime logdate logtimestamp receivedat receivedon receivedtime receiveddate sentat \
         attemptedat createdat createdon createddate createdtime createddatetime createtime createdate \
         createtimestamp creationtimestamp creationtime creationdate created creation insertedat insertedon insertedtime insertdate inserttime \
         inserted enqueuedat enqueuedtime queuedat addedat dateadded datecreated dateentered timecreated \
         timecreatedutc createdutc timestamputc utctime entrydate entrytime date scheduledat runat \
         scheduledfor dateexecuted triggeredat firedat ctime crdate adddate modified",
    ),
    (
        "completed_at",
        Target::CompletedAt,
        "completedat completedon completed completiontime finishedat finishedon finished finishtime endedat enddttm timeend \
         ended endtime enddate endat endtimestamp stoppedat stopped respondedat responsetimestamp deliveredat \
         processedat processedon doneat datedone donetime dateprocessed closedat stoptime",
    ),
    (
        "next_retry_at",
        Target::NextRetryAt,
        "nextretryat nextretry nextattemptat nextattempt retryat nextrunat nextscheduledat nextretrytime",
    ),
    (
        "http_status",
        Target::HttpStatus,
        "httpstatus httpstatuscode httpcode httpresponsecode httpresponsestatus statuscode responsestatus \
         responsestatuscode responsecode responsehttpstatus respstatus responsehttpcode returncode code \
         status laststatuscode lasthttpstatus result resultcode sc",
    ),
    (
        "status",
        Target::Status,
        "status state outcome deliverystatus jobstatus runstatus executionstatus taskstatus messagestatus \
         callstatus requeststatus integrationstatus processingstatus currentstatus currentstate statecurrent statename statusname \
         statetype jobstate success successful succeeded issucceed issuccess issuccessful wassuccessful isok ok \
         resolution result completionstatus finalstatus processstatus statusdesc statustext delivered phase",
    ),
    (
        "duration",
        Target::Duration,
        "durationms duration durationmillis durationmilliseconds durationus durations durationsec \
         durationseconds elapsedms elapsed elapsedtime elapsedmilliseconds latencyms latency took tookms \
         timetaken timetakenms timetakenmillis responsetimems responsetime responsemillis executiontimems \
         executiontime execms runtime runtimems runtimeseconds processingtime processingtimems \
         executionduration runningtime responsems requesttimems totaltime totaltimems requestduration requesttime ms millis msec seconds timespent \
         worktime",
    ),
    ("level", Target::Level, "level loglevel severity levelname lvl severitytext priority logtype msglevel"),
    ("method", Target::Method, "method httpmethod requestmethod verb httpverb requesttype reqmethod"),
    (
        "url",
        Target::Url,
        "url requesturl requesturi uri fullurl targeturl endpointurl callbackurl webhookurl destinationurl \
         requestpath path httppath route address href link endpoint hookurl deliveryurl target",
    ),
    ("direction", Target::Direction, "direction flow inout inboundoutbound dir messagedirection calldirection"),
    (
        "error",
        Target::Error,
        "errormessage errormsg error jobexceptionmsg err errmsg lasterror lasterrormessage errortext errordetail errordetails \
         errordescription errorinfo exceptionmessage exception excinfo exc failurereason failuremessage \
         failure failedreason faultstring fault incidentmsg responseerror errors errorlog returnmessage failreason internalerrormessage errormessages failureexceptions currentreason",
    ),
    (
        "error_type",
        Target::ErrorType,
        "errortype errorcode errorclass exceptiontype exceptionclass excname errorname errcode sqlstate",
    ),
    (
        "system",
        Target::System,
        "system systemcode systemname externalsystem targetsystem sourcesystem partner partnername \
         partnercode provider providername vendor integration integrationname integrationrequestservice \
         integrationtype connector connectorname connectorid carrier service servicename api apiname \
         application applicationname app appname appid backend destination receiver channel channelname \
         channelid interface interfacename queue queuename taskqueue queuedjobclass pipeline pipelinename dagid \
         workflowid workflowname workflowtype workflow flow flowname flowid procdefkey processdefkey processdefinitionkey \
         project source sourcename origin subscription subscriptionname endpointid aggregatetype sys module component \
         triggername target serviceid routeid client clientname consumer producer host hostname remotehost category logger type",
    ),
    (
        "endpoint",
        Target::Endpoint,
        "endpoint endpointname endpointcode operation operationname resource route routename task taskname \
         taskid step stepname stepid job jobname jobtype jobclass jobcode workflowtypename worker workerclass identifier \
         taskidentifier jobsignature tasktype scriptpath scheduledjobtype handler action actionname activity activityname activityid actname actid event eventtype \
         eventname eventid topic topicname trigger triggername webhook hook function functionname func \
         procedure viewname view controller transaction transactioncode messagetype doctype model modelname \
         kind type class classname name flowname jobid",
    ),
    (
        "message",
        Target::Message,
        "message msg messagetext logmessage renderedmessage eventmessage summary description text detail details note notes \
         comment info statusmessage statusdescription title subject resultmessage name",
    ),
    (
        "request_id",
        Target::RequestId,
        "requestid reqid xrequestid callid messageid msgid deliveryid eventid executionid runid jobid taskid \
         activejobid requestuuid transactionid invocationid procinstid uuid guid externalid",
    ),
    (
        "correlation_id",
        Target::CorrelationId,
        "correlationid xcorrelationid traceid conversationid batchid sessionid processinstanceid procinstid \
         rootprocessinstanceid rootprocinstid graphuuid groupid threadid workflowrunid rootid dagrunid runid \
         interchangeid transactionid",
    ),
    (
        "parent_request_id",
        Target::ParentRequestId,
        "parentid parentrequestid parentjobid parentrunid retryof retriedfrom originalid previousid \
         superprocessinstanceid",
    ),
    (
        "attempt",
        Target::Attempt,
        "attempt attempts attemptnumber attemptno attemptcount tries trynumber retry retries retrycount \
         errorcount executionscount deliveryattempt attemptsmade",
    ),
    ("max_attempts", Target::MaxAttempts, "maxattempts maxretries maxtries retrylimit attemptslimit maxretry"),
    ("operation", Target::Operation, "operation action activitytype command function jobtype"),
    (
        "actor",
        Target::Actor,
        "actor username userid user useremail createdby triggeredby initiatedby owner requestedby",
    ),
    (
        "organization",
        Target::Organization,
        "organization organizationid organisationid orgid tenant tenantid company companyid accountid \
         customerid",
    ),
    ("entity_type", Target::EntityType, "entitytype objecttype resourcetype referencedoctype recordtype subjecttype"),
    (
        "entity_id",
        Target::EntityId,
        "entityid objectid resourceid referencedocname recordid subjectid reference businesskey docno \
         documentno orderid ordernumber",
    ),
    ("tags", Target::Tags, "tags labels keywords"),
];

/// The parts of a payload with the usual names of their columns.
pub(super) const PARTS: &[(&str, Names)] = &[
    ("request_headers", "requestheaders headers reqheaders requestheader httpheaders rawheaders encodedheaders"),
    (
        "request_body",
        "requestbody requestpayload requestdata request payload body rawbody input data args arguments \
         taskargs params parameters jobargs serializedparams requestcontent messagebody content kwargs \
         taskkwargs requestjson",
    ),
    ("response_headers", "responseheaders respheaders responseheader encodedresponseheaders"),
    (
        "response_body",
        "responsebody responsepayload responsedata response output result responsecontent reply returnvalue \
         responsejson respbody",
    ),
    ("metadata", "metadata meta context extra attributes properties details custom variables options"),
    ("stack", "stack stacktrace traceback backtrace exceptionstack errorstack errorstacktrace exceptiontrace"),
];

/// Names of yes and no where yes is a failure.
pub(super) const BAD_FLAGS: Names =
    "failed hasfailed isfailed didfail iserror haserror haserrors error errored timedout hastimedout";

/// Whether the JSON of a column of this name is what was sent, not what is said about it. `tells_call`: the table has the HTTP
/// status in a column of its own.
pub(super) fn is_body(name: &str, tells_call: bool) -> bool {
    /// Names of what was sent that are also those of what describes the row.
    const BOTH: [&str; 2] = ["content", "data"];
    let is_known = |names: Names| names.split(' ').any(|known| known == name);
    let sent = PARTS.iter().filter(|(part, _)| part.starts_with("request_") || part.starts_with("response_"));
    (tells_call || !BOTH.contains(&name))
        && (sent.clone().any(|(_, names)| is_known(names)) || is_known("variables options"))
}

/// What words of a status mean to most systems, in lower case with letters and digits alone.
const STATUSES: &[(Status, Names)] = &[
    (
        Status::Success,
        "success succeeded successful successfully ok okay done complete completed finished delivered sent \
         processed passed resolved accepted acknowledged ack acked applied imported exported synced \
         synchronized published executed consumed handled fulfilled true t yes y committed received closed \
         good normal succes succeed completedok finishedok approved posted transmitted s c",
    ),
    (
        Status::Failed,
        "failed failure fail fails failing error errored errors err ko bad broken rejected dead deadletter \
         deadlettered discarded discard refused exception crashed crash faulted fault aborted abandoned \
         undeliverable undelivered bounced false f no n nack nok notok unsuccessful invalid upforretry \
         upstreamfailed retryable exhausted denied incident failedpermanently permanentfailure killed lost \
         externallyterminated internallyterminated missed e partial partiallyfailed completedwitherrors quarantined",
    ),
    (
        Status::Cancelled,
        "cancelled canceled cancel skipped skip revoked ignored suppressed stopped removed deleted terminated \
         cancelling canceling duplicate superseded filtered withdrawn",
    ),
    (Status::Timeout, "timeout timedout expired deadlineexceeded timeouted gatewaytimeout"),
    (
        Status::InProgress,
        "inprogress progress pending queued queue running run started start starting processing new waiting \
         wait scheduled active activated executing created enqueued available retry retrying retried open \
         sending initiated initialized paused suspended deferred delayed ready reserved claimed working busy \
         inflight todo waitdependencies submitted assigned locked ongoing none notstarted upforreschedule \
         restarting draft unsent unprocessed outgoing q r p",
    ),
];

/// What a word of a status means to most systems.
pub(super) fn status_of(word: &str) -> Option<Status> {
    let plain = normalised(word);
    Status::parse(word).or_else(|| {
        STATUSES.iter().find(|(_, words)| words.split(' ').any(|known| known == plain)).map(|(status, _)| *status)
    })
}

/// What a word of a status means, also one of several parts, `SYSTEM_FAILURE` or `to retry`: its last part says it, or its first.
pub(super) fn meaning_of(word: &str) -> Option<Status> {
    const DENIALS: [&str; 5] = ["no", "not", "non", "without", "never"];
    status_of(word).or_else(|| {
        let parts: Vec<&str> = word.trim_end_matches('!').split(['_', '-', ' ']).collect();
        let (first, last) = (parts.first()?, parts.last()?);
        let is_word = |part: &&str| !part.is_empty() && part.chars().all(char::is_alphabetic);
        // What is denied means something else.
        let is_denied = parts.iter().any(|part| DENIALS.contains(&normalised(part).as_str()));
        if !(2..=4).contains(&parts.len()) || is_denied || !parts.iter().all(is_word) {
            return None;
        }
        let waits = |part: &str| status_of(part).filter(|status| part.len() > 2 && !status.is_finished());
        [last, first].into_iter().find_map(|part| outcome_of(part).or_else(|| waits(part)))
    })
}

/// Whether a drafted schema knows a word as it is written.
pub(super) fn is_usual(word: &str) -> bool {
    let lower = word.to_lowercase();
    Status::parse(word).is_some() || usual_statuses().any(|(known, _)| known == lower)
}

/// The scales of numbers that loggers have for levels, each number with its level: Monolog's, and syslog's (RFC 5424).
const LEVELS: [&[(&str, &str)]; 2] = [
    &[
        ("100", "debug"),
        ("200", "info"),
        ("250", "info"),
        ("300", "warn"),
        ("400", "error"),
        // WooCommerce's scale is alike, and there it is an error.
        ("500", "error"),
        ("550", "fatal"),
        ("600", "fatal"),
    ],
    &[
        ("0", "fatal"),
        ("1", "fatal"),
        ("2", "fatal"),
        ("3", "error"),
        ("4", "warn"),
        ("5", "info"),
        ("6", "info"),
        ("7", "debug"),
    ],
];

/// The scale in which some numbers are levels.
pub(super) fn levels_of(numbers: &[&str]) -> Option<&'static [(&'static str, &'static str)]> {
    let has = |scale: &[(&str, &str)]| numbers.iter().all(|n| scale.iter().any(|(known, _)| known == n));
    LEVELS.into_iter().find(|scale| !numbers.is_empty() && has(scale))
}

/// Words that logs use for more than an outcome: of a connection, a file, a message, a part of the work.
const VAGUE: &str = "received sent posted closed removed deleted stopped terminated ignored suppressed revoked killed lost \
                     missed invalid bad good handled published exported imported applied passed resolved fulfilled filtered \
                     duplicate errors discard discarded incident partial retryable yes no";

/// The outcome that a word of a status tells in a log: less than in a table of jobs, where every word is one.
pub(super) fn outcome_of(word: &str) -> Option<Status> {
    let plain = normalised(word);
    let clear = plain.len() > 1 && VAGUE.split_ascii_whitespace().all(|vague| vague != plain);
    Status::parse(word).or_else(|| status_of(word).filter(|status| clear && status.is_finished()))
}

/// The words of a status as they are usually spelled, in lower case, each with its meaning.
pub(super) fn usual_statuses() -> impl Iterator<Item = (String, Status)> {
    // Words of two parts come with the usual marks between them.
    const PARTED: &[(&str, &str)] = &[
        ("dead", "letter"),
        ("up_for", "retry"),
        ("upstream", "failed"),
        ("timed", "out"),
        ("in", "progress"),
        ("not", "started"),
        ("in", "flight"),
        ("to", "do"),
        ("wait", "dependencies"),
        ("deadline", "exceeded"),
        ("partially", "failed"),
        ("not", "ok"),
        ("externally", "terminated"),
        ("internally", "terminated"),
        ("completed_with", "errors"),
        ("up_for", "reschedule"),
    ];
    let whole = STATUSES.iter().flat_map(|(status, words)| words.split(' ').map(|word| (word.to_owned(), *status)));
    let parted = PARTED.iter().flat_map(|(one, other)| {
        ["_", " ", "-"].into_iter().filter_map(move |mark| {
            let word = format!("{}{mark}{other}", one.replace('_', mark));
            status_of(&word).map(|status| (word, status))
        })
    });
    whole.chain(parted)
}
