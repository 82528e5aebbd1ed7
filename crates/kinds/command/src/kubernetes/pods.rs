//! What `kubectl` prints of pods, as far as it matters.

use serde::Deserialize;
use std::collections::HashMap;

/// What `kubectl get pods -o json` prints.
#[derive(Debug, Deserialize)]
pub(super) struct Pods {
    pub(super) items: Vec<Pod>,
}

#[derive(Debug, Clone, Default, Deserialize)]
#[serde(default)]
pub(super) struct Pod {
    metadata: Metadata,
    status: PodStatus,
}

#[derive(Debug, Clone, Default, Deserialize)]
#[serde(default)]
struct Metadata {
    name: String,
    namespace: String,
    uid: String,
}

#[derive(Debug, Clone, Default, Deserialize)]
#[serde(default)]
struct PodStatus {
    #[serde(rename = "initContainerStatuses")]
    preparing: Vec<ContainerStatus>,
    #[serde(rename = "containerStatuses")]
    working: Vec<ContainerStatus>,
    #[serde(rename = "ephemeralContainerStatuses")]
    examining: Vec<ContainerStatus>,
}

#[derive(Debug, Clone, Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
struct ContainerStatus {
    name: String,
    restart_count: u64,
    state: HashMap<String, serde_json::Value>,
}

/// What happens to a pod, as `kubectl get --watch --output-watch-events` prints it.
#[derive(Debug, Deserialize)]
pub(super) struct Event {
    #[serde(rename = "type")]
    pub(super) kind: String,
    pub(super) object: Pod,
}

/// A container of a pod.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Container {
    pub(super) namespace: String,
    pub(super) pod: String,
    uid: String,
    pub(super) name: String,
    pub(super) phase: Phase,
}

/// How far a container is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Phase {
    /// How often it was started again.
    pub(super) restarts: u64,
    /// Whether it has a log: it runs, or did.
    pub(super) has_begun: bool,
    pub(super) runs: bool,
    pub(super) is_gone: bool,
}

impl Pod {
    /// Its containers, those that prepare it first. A name that Kubernetes would not give is left out.
    pub(super) fn containers(&self) -> Vec<Container> {
        let PodStatus { preparing, working, examining } = &self.status;
        let all = preparing.iter().chain(working).chain(examining);
        let Metadata { name: pod, namespace, uid } = &self.metadata;
        let is_name = |text: &str| {
            let plain = |c: char| c.is_ascii_alphanumeric() || matches!(c, '.' | '-');
            !text.is_empty() && !text.starts_with('-') && text.chars().all(plain)
        };
        let found = all.map(|status| Container {
            namespace: namespace.clone(),
            pod: pod.clone(),
            uid: uid.clone(),
            name: status.name.clone(),
            phase: Phase {
                restarts: status.restart_count,
                has_begun: status.restart_count > 0 || !status.state.contains_key("waiting"),
                runs: status.state.contains_key("running"),
                is_gone: false,
            },
        });
        found.filter(|one| [&one.pod, &one.name, &one.namespace].iter().all(|text| is_name(text))).collect()
    }
}

impl Container {
    /// What tells it from every other one, also from one of the same name later.
    pub(super) fn key(&self) -> String {
        format!("{}/{}/{}/{}", self.namespace, self.pod, self.uid, self.name)
    }

    /// Its name for people.
    pub(super) fn shown(&self) -> String {
        format!("{}/{}/{}", self.namespace, self.pod, self.name)
    }
}

/// The whole events at the beginning of a buffer, which are taken out of it.
pub(super) fn events(buffer: &mut Vec<u8>) -> Vec<Event> {
    let mut stream = serde_json::Deserializer::from_slice(buffer).into_iter::<serde_json::Value>();
    let mut found = Vec::new();
    let mut end = 0;
    while let Some(Ok(value)) = stream.next() {
        end = stream.byte_offset();
        found.extend(serde_json::from_value(value).ok());
    }
    buffer.drain(..end);
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn events_come_in_pieces() {
        let one = r#"{"type":"ADDED","object":{"metadata":{"name":"web-1","namespace":"shop","uid":"u"},
            "status":{"containerStatuses":[{"name":"app","restartCount":2,"state":{"waiting":{}}},
            {"name":"../x","restartCount":0,"state":{"running":{}}}]}}}"#;
        let mut buffer = one.as_bytes()[..100].to_vec();
        assert!(events(&mut buffer).is_empty());
        buffer.extend(&one.as_bytes()[100..]);
        buffer.extend(b"\n{\"type\":\"DELE");
        let found = events(&mut buffer);
        let containers = found[0].object.containers();
        assert_eq!(containers.len(), 1, "a name that is none is left out: {containers:?}");
        assert_eq!(containers[0].phase, Phase { restarts: 2, has_begun: true, runs: false, is_gone: false });
        assert_eq!(buffer, b"\n{\"type\":\"DELE");
    }
}
