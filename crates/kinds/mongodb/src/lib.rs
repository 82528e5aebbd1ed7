//! The kind `mongodb`: the collections that schemas map, read only.

mod address;
mod aggregate;
mod contact;
mod create;
mod definitions;
mod diagnose;
mod expression;
mod fields;
mod find;
mod follow;
mod indexed;
mod kind;
mod mapping;
mod misfits;
mod operation;
mod operators;
mod plan;
mod polling;
mod query;
mod reason;
mod resume;
mod seen;
mod server;

pub use kind::KIND;

use async_trait::async_trait;
use bson::doc;
use crosstail_core::filter::suggest;
use crosstail_core::model::{Clock, Diagnosis, Id, Locator, Names, Payload, SourceId, Timestamp, Vitals};
use crosstail_core::schema::Schema;
use crosstail_source::{
    Capabilities, Cost, Cursor, ErrorKind, Grouping, Groups, Job, Page, PageQuery, Position, Probe, Related,
    RelatedKey, Sink, Source, SourceError, TableOffer, TooLarge,
};
use mapping::{Listed, Mapping};
use mongodb::Client;
use mongodb::error::ErrorKind as DriverKind;
use mongodb::options::{ClientOptions, ReadPreference, SelectionCriteria};
use operation::watched;
use std::collections::BTreeMap;
use std::time::Duration;
use tokio::sync::OnceCell;

/// Size of the connection pool.
const CONNECTIONS: u32 = 5;
const CONNECT_TIMEOUT: Duration = Duration::from_secs(10);
/// A database has fewer collections: the limits of the server itself are below this.
const MOST_COLLECTIONS: usize = 100_000;

/// A source in one database.
pub struct MongodbSource {
    name: String,
    id: SourceId,
    names: Names,
    url: String,
    schema: Option<Schema>,
    /// Documents that polling remembers, at most.
    remembered: usize,
    database: OnceCell<Database>,
}

/// The mapped collections of the database.
struct Database {
    client: Client,
    handle: mongodb::Database,
    /// Whether the server is a member of a replica set.
    set: bool,
    mappings: Vec<Mapping>,
    schemas: Vec<String>,
    warnings: Vec<String>,
    /// Whether it has change streams: a member of a replica set, or a router of a cluster.
    pushes: bool,
    /// What polling knows of the moment of the last position, until following begins there.
    known: std::sync::Mutex<Option<polling::Known>>,
    /// Documents that polling remembers, at most.
    remembered: usize,
}

/// The database, as one job asks it.
#[derive(Clone, Copy)]
struct Asking<'a> {
    database: &'a Database,
    job: &'a Job,
}

impl std::ops::Deref for Asking<'_> {
    type Target = Database;

    fn deref(&self) -> &Database {
        self.database
    }
}

impl Asking<'_> {
    /// The comment of what is asked for the job.
    fn comment(self) -> String {
        operation::comment(self.job.number())
    }
}

/// A failure before it becomes a [`SourceError`].
#[derive(Debug)]
enum Error {
    Driver(Box<mongodb::error::Error>),
    Bson(bson::error::Error),
    Mapping(String),
    /// Nothing to read exists yet.
    Nothing(String),
    /// The address names no database; those that there are.
    NoDatabase(String),
    /// The change stream has ended: the collection was dropped or renamed.
    Ended,
    /// Another collection was renamed to one that is followed.
    Replaced,
    /// The change stream says nothing, not even that nothing happens.
    Silent,
    /// What the server sent is no answer; why, or the message of a panic of the driver.
    Unreadable(String),
    TooLarge(TooLarge),
}

impl From<mongodb::error::Error> for Error {
    fn from(error: mongodb::error::Error) -> Self {
        Self::Driver(Box::new(error))
    }
}

impl From<bson::error::Error> for Error {
    fn from(error: bson::error::Error) -> Self {
        Self::Bson(error)
    }
}

impl std::fmt::Display for Error {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Driver(error) => f.write_str(&reason::cause(error)),
            Self::Bson(error) => error.fmt(f),
            Self::Mapping(text) | Self::Nothing(text) => f.write_str(text),
            Self::NoDatabase(there) => write!(f, "the address names no database; there are: {there}"),
            Self::Ended => f.write_str("the collection was dropped or renamed"),
            Self::Replaced => f.write_str("another collection took its place"),
            Self::Silent => f.write_str("no answer"),
            Self::Unreadable(why) => write!(f, "what the store sent cannot be read: {why}"),
            Self::TooLarge(error) => error.fmt(f),
        }
    }
}

impl Error {
    /// The server sent documents that a query without a limit did not ask for. One that does so may never stop.
    fn unasked() -> Self {
        Self::Unreadable("documents that nobody asked for".to_owned())
    }

    /// The server's error code.
    fn code(&self) -> Option<i32> {
        match self {
            Self::Driver(error) => match &*error.kind {
                DriverKind::Command(command) => Some(command.code),
                _ => None,
            },
            _ => None,
        }
    }

    /// Whether following cannot resume: the oplog no longer reaches back to the token (`ChangeStreamHistoryLost`,
    /// `ChangeStreamFatalError`), the token is another server's (`InvalidResumeToken`), or the change is too large for
    /// the stream (`BSONObjectTooLarge`).
    fn is_history_lost(&self) -> bool {
        matches!(self.code(), Some(286 | 280 | 260 | 10334))
    }
}

impl MongodbSource {
    /// A source in the database of a URL. Without `schema`, the schema is recognised by the collections. Does not
    /// connect yet.
    pub fn new(name: &str, id: SourceId, names: Names, url: &str, schema: Option<Schema>) -> Result<Self, SourceError> {
        let database = OnceCell::new();
        let remembered = seen::REMEMBERED;
        Ok(Self { name: name.to_owned(), id, names, url: url.to_owned(), schema, remembered, database })
    }

    /// The same, where what is polled is remembered for at most so many documents.
    #[must_use]
    pub fn remembering(mut self, documents: usize) -> Self {
        self.remembered = documents;
        self
    }

    fn error(&self, operation: &'static str, error: &Error) -> SourceError {
        let why = match error {
            Error::Mapping(_) => (ErrorKind::Unsupported, Some("correct the schema file or the address")),
            // The first document creates its collection, so the source retries.
            Error::Nothing(_) => {
                (ErrorKind::Query, Some("name a schema with --schema, or write one with [table] and [fields]"))
            }
            Error::NoDatabase(_) => (
                ErrorKind::Unsupported,
                Some("write mongodb://user@host/DATABASE; the user's own database is authSource"),
            ),
            Error::Bson(_) => (ErrorKind::Decode, None),
            Error::Unreadable(_) => (ErrorKind::Query, Some("check that the address leads to a store of this kind")),
            Error::Ended | Error::Replaced => (ErrorKind::Query, None),
            Error::TooLarge(_) => (ErrorKind::Budget, Some("narrow the filter or the range of time")),
            Error::Silent => {
                (ErrorKind::Timeout, Some("check that the server is well, and what is between it and you"))
            }
            Error::Driver(driver) => reason::of_driver(driver, &self.url),
        };
        SourceError::of(&self.name, operation, why, error)
    }

    async fn database<'a>(&'a self, job: &'a Job) -> Result<Asking<'a>, SourceError> {
        let database = self.database.get_or_try_init(|| self.look_up(job)).await;
        Ok(Asking { database: database.map_err(|e| self.error("connect", &e))?, job })
    }

    /// The client, and the database of the address. The server is asked only where the address names none, for those that
    /// there are.
    async fn connect(&self) -> Result<(Client, mongodb::Database), Error> {
        let mut options = ClientOptions::parse(address::understood(&self.url).as_ref()).await?;
        options.app_name = Some("crosstail".to_owned());
        options.max_pool_size = Some(options.max_pool_size.unwrap_or(CONNECTIONS).min(CONNECTIONS));
        options.server_selection_timeout = options.server_selection_timeout.or(Some(CONNECT_TIMEOUT));
        options.connect_timeout = options.connect_timeout.or(Some(CONNECT_TIMEOUT));
        // A read after a position must not return data that is older than the position.
        let primary = SelectionCriteria::ReadPreference(ReadPreference::PrimaryPreferred { options: None });
        options.selection_criteria = options.selection_criteria.or(Some(primary));
        let name = options.default_database.clone();
        let client = Client::with_options(options)?;
        let Some(name) = name else { return Err(contact::no_database(&client).await) };
        let database = client.database(&name);
        Ok((client, database))
    }

    async fn look_up(&self, job: &Job) -> Result<Database, Error> {
        let (client, database) = self.connect().await?;
        let name = database.name().to_owned();
        let expected = job.expects(find::ANSWER_TIMEOUT);
        let hello = database.run_command(doc! { "hello": 1 }).await?;
        let set = hello.contains_key("setName");
        let pushes = set || hello.get_str("msg").is_ok_and(|msg| msg == "isdbgrid");
        let mut kinds: BTreeMap<String, Listed> = BTreeMap::new();
        let mut listed = database.list_collections().await?;
        while listed.advance().await? {
            let one = listed.deserialize_current()?;
            kinds.insert(one.name.clone(), Listed::of(&one));
            if kinds.len() > MOST_COLLECTIONS {
                return Err(Error::Mapping(format!("{name} has more than {MOST_COLLECTIONS} collections")));
            }
        }
        let collections: Vec<String> = kinds.keys().cloned().collect();
        let schemas = self.schema.clone().map_or_else(Schema::built_in, |schema| vec![schema]);
        let mut found = Database {
            client,
            set,
            handle: database,
            mappings: Vec::new(),
            schemas: Vec::new(),
            warnings: Vec::new(),
            pushes,
            known: std::sync::Mutex::default(),
            remembered: self.remembered,
        };
        let known = if collections.is_empty() { "none".to_owned() } else { collections.join(", ") };
        for schema in &schemas {
            let before = found.mappings.len();
            for (part, table) in schema.tables(definitions::STORE) {
                if collections.contains(&table.name) {
                    let index = found.mappings.len();
                    self.names.table(self.id, &table.name);
                    let mut mapping = Mapping::new(index, part, table, (self.id, &self.name));
                    mapping.know(pushes, kinds.get(&table.name));
                    found.mappings.push(mapping);
                } else if self.schema.is_some() && schema.tables(definitions::STORE).count() == 1 {
                    let near = suggest(&table.name, collections.iter().map(String::as_str));
                    let hint = near.map_or_else(String::new, |near| format!("; did you mean '{near}'?"));
                    return Err(Error::Mapping(format!(
                        "[table] name: no collection '{}' in {name}, which has {known}{hint}",
                        table.name
                    )));
                }
            }
            if found.mappings.len() > before {
                found.schemas.push(schema.name.clone());
                self.names.add_flow(&schema.definition().flow);
            }
        }
        if found.mappings.is_empty() && self.schema.is_none() {
            // Each of many collections is looked at, and has a limit of its own.
            expected.renew(10 * find::ANSWER_TIMEOUT);
            self.first_contact(&mut found, &kinds).await?;
        }
        if found.mappings.is_empty() {
            return Err(Error::Nothing(format!("no collection that a schema knows in {name}, which has: {known}")));
        }
        if self.schema.is_some() {
            self.check_fields(&mut found, job).await?;
        }
        let (mut repeated, mut unread) = (Vec::new(), Vec::new());
        for mapping in &found.mappings {
            expected.renew(find::ANSWER_TIMEOUT);
            plan::look_for_lists(Asking { database: &found, job }, mapping).await;
            let path = query::repeated_identity(Asking { database: &found, job }, mapping).await;
            repeated.push(path.map(str::to_owned));
            expected.renew(find::ANSWER_TIMEOUT);
            unread.extend(query::unread_time(Asking { database: &found, job }, mapping).await);
        }
        found.warnings.extend(unread);
        for (mapping, repeated) in found.mappings.iter_mut().zip(repeated) {
            if let Some(path) = repeated {
                mapping.is_unique = false;
                let name = &mapping.table.name;
                found.warnings.push(format!("{path} repeats in {name}: its documents are told apart by their _id"));
            }
        }
        Ok(found)
    }
}

#[async_trait]
impl Source for MongodbSource {
    fn capabilities(&self) -> Capabilities {
        let streamed = |database: &Database| database.mappings.iter().any(|mapping| mapping.is_streamed);
        let pushes = self.database.get().is_some_and(streamed);
        Capabilities {
            pushes,
            aggregates: true,
            counts_times: false,
            holds_activities: true,
            reads_ranges: true,
            has_order: true,
            finds_ids: true,
        }
    }

    async fn probe(&self, job: &Job) -> Result<Probe, SourceError> {
        let database = self.database(job).await?;
        let clock = Clock::system();
        let before = clock.now();
        let ask = |command| database.handle.run_command(command);
        let hello = ask(doc! { "hello": 1 }).await.map_err(|e| self.error("connect", &e.into()))?;
        let middle = before.plus_us(clock.now().since_us(before) / 2);
        let build = ask(doc! { "buildInfo": 1 }).await.map_err(|e| self.error("connect", &e.into()))?;
        let set = hello.get_str("setName").map_or_else(|_| String::new(), |set| format!(", replica set {set}"));
        let polled: Vec<&str> =
            database.mappings.iter().filter(|m| !m.is_streamed).map(|m| m.table.name.as_str()).collect();
        let standalone = match (database.pushes, polled.is_empty()) {
            (false, _) => ", standalone: polled".to_owned(),
            (true, true) => String::new(),
            (true, false) => format!(", polled: {}", polled.join(", ")),
        };
        Ok(Probe {
            server: format!("MongoDB {}{set}{standalone}", build.get_str("version").unwrap_or("?")),
            schema: database.schemas.join(", "),
            clock_ahead_us: hello.get_datetime("localTime").ok().map(|at| at.timestamp_millis() * 1000 - middle.0),
            warnings: database.warnings.clone(),
            ..Probe::default()
        })
    }

    async fn page(&self, query: &PageQuery, after: Option<&Cursor>, job: &Job) -> Result<Page, SourceError> {
        let database = self.database(job).await?;
        let page = watched(database, query::page(database, &self.names, query, after)).await;
        page.map_err(|e| self.error("read history", &e))
    }

    async fn plan(&self, query: &PageQuery, job: &Job) -> Result<Cost, SourceError> {
        let database = self.database(job).await?;
        watched(database, plan::plan(database, &self.names, query)).await.map_err(|e| self.error("plan", &e))
    }

    async fn position(&self, job: &Job) -> Result<Position, SourceError> {
        let database = self.database(job).await?;
        follow::position(database).await.map_err(|e| self.error("read position", &e))
    }

    async fn follow(&self, from: Position, sink: &Sink, job: &Job) -> Result<(), SourceError> {
        let database = self.database(job).await?;
        follow::follow(database, &from, sink).await.map_err(|e| self.error("follow", &e))
    }

    async fn table_offers(&self, _job: &Job) -> Result<Vec<TableOffer>, SourceError> {
        self.offered().await.map_err(|error| self.error("list collections", &error))
    }

    async fn draft(&self, table: Option<&str>, _job: &Job) -> Result<String, SourceError> {
        let found = self.drafted(table).await.map_err(|error| self.error("connect", &error))?;
        found.map_err(|cause| SourceError::of(&self.name, "draft a schema", (ErrorKind::Unsupported, None), &cause))
    }

    async fn payload(&self, id: &Id, locator: &Locator, job: &Job) -> Result<Payload, SourceError> {
        let database = self.database(job).await?;
        let missing = || SourceError::not_found(&self.name, format!("document {id}"));
        let (index, key) = locator.as_table_key().ok_or_else(missing)?;
        let mapping = database.mappings.get(index).ok_or_else(missing)?;
        let key = mapping::parse_key(key).ok_or_else(missing)?;
        let found = watched(database, query::payload(database, mapping, key)).await;
        let found = found.map_err(|e| self.error("load payload", &e))?;
        found.ok_or_else(missing)
    }

    async fn payloads(&self, of: &[(Id, Locator)], job: &Job) -> Result<Vec<Option<Payload>>, SourceError> {
        let database = self.database(job).await?;
        let found = watched(database, query::payloads(database, of)).await;
        found.map_err(|e| self.error("load payloads", &e))
    }

    async fn related(&self, key: &RelatedKey, limit: usize, job: &Job) -> Result<Related, SourceError> {
        let database = self.database(job).await?;
        let found = watched(database, query::related(database, key, limit)).await;
        found.map(Related::from).map_err(|e| self.error("find related", &e))
    }

    async fn vitals(&self, _since: Timestamp, job: &Job) -> Result<Vitals, SourceError> {
        let database = self.database(job).await?;
        server::vitals(database).await.map_err(|e| self.error("read the server's state", &e))
    }

    async fn diagnose(&self, _now: Timestamp, job: &Job) -> Result<Vec<Diagnosis>, SourceError> {
        let database = self.database(job).await?;
        diagnose::diagnose(database).await.map_err(|e| self.error("examine", &e))
    }

    async fn aggregate(&self, query: &PageQuery, grouping: &Grouping, job: &Job) -> Result<Groups, SourceError> {
        let database = self.database(job).await?;
        let mut all = Groups::new();
        for mapping in &database.mappings {
            let asked = aggregate::aggregate(database, mapping, &self.names, query, grouping);
            let groups = watched(database, asked).await.map_err(|e| self.error("aggregate", &e))?;
            let Some(groups) = groups else {
                return crosstail_source::aggregate_locally(self, query, grouping, &self.names, job).await;
            };
            for (key, figures) in groups {
                all.entry(key).or_default().merge(&figures);
            }
        }
        Ok(all)
    }
}
