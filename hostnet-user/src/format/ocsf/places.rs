//! Where in an event all goes that is put beside the mapped fields: found once for each
//! version and class.

use std::ops::Range;

/// The places of an attribute, or of an object with all that is in it; none where the version has
/// no such attribute.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Place {
    start: usize,
    end: usize,
}

impl Place {
    pub const fn range(self) -> Range<usize> {
        self.start..self.end
    }
}

impl From<Range<usize>> for Place {
    fn from(Range { start, end }: Range<usize>) -> Self {
        Self { start, end }
    }
}

/// Every attribute that is put.
pub struct Places {
    pub class_uid: Place,
    pub class_name: Place,
    pub category_uid: Place,
    pub category_name: Place,
    pub activity_id: Place,
    pub activity_name: Place,
    pub type_uid: Place,
    pub severity_id: Place,
    pub severity: Place,
    pub version: Place,
    pub profiles: Place,
    pub vendor_name: Place,
    pub app_vendor_name: Place,
    pub device_type_id: Place,
    pub os_name: Place,
    pub os_type_id: Place,
    pub device: Container,
    pub source: Endpoint,
    pub destination: Endpoint,
    pub connection: Connection,
    pub observation_point: Place,
    pub is_direction_known: Place,
    pub observables: Place,
    pub actor: Process,
    pub process: Process,
    pub event_uid: Place,
    pub message: Place,
    pub finding_uid: Place,
    pub finding_title: Place,
    pub analytic_type_id: Place,
    pub analytic_type: Place,
    pub is_alert: Place,
    pub status_id: Place,
    pub evidence_actor: Process,
    pub evidence_connection: Connection,
    pub evidence_container: Container,
    /// What each makes evidence of what is there.
    pub evidence: [Place; 5],
    pub query_type_id: Place,
    pub query_connection: Connection,
    pub query_result_id: Place,
    pub unmapped: Place,
}

/// A container.
#[derive(Clone, Copy)]
pub struct Container {
    pub whole: Place,
    pub network_driver: Place,
    /// What it is known by.
    pub brief: [Place; 3],
}

/// An end of a connection.
#[derive(Clone, Copy)]
pub struct Endpoint {
    pub whole: Place,
    pub ip: Place,
    pub name: Place,
    pub hostname: Place,
    pub container: Container,
}

/// A connection.
#[derive(Clone, Copy)]
pub struct Connection {
    pub whole: Place,
    pub direction_id: Place,
    pub boundary_id: Place,
}

/// A process.
#[derive(Clone, Copy)]
pub struct Process {
    pub whole: Place,
    pub pid: Place,
    pub uid: Place,
    pub container: Container,
}

impl Places {
    /// Finds all of them by their paths.
    pub fn find(mut at: impl FnMut(&str) -> Place) -> Self {
        let evidence = ["actor", "connection_info", "data", "dst_endpoint", "src_endpoint"];
        Self {
            class_uid: at("class_uid"),
            class_name: at("class_name"),
            category_uid: at("category_uid"),
            category_name: at("category_name"),
            activity_id: at("activity_id"),
            activity_name: at("activity_name"),
            type_uid: at("type_uid"),
            severity_id: at("severity_id"),
            severity: at("severity"),
            version: at("metadata.version"),
            profiles: at("metadata.profiles"),
            vendor_name: at("metadata.product.vendor_name"),
            app_vendor_name: at("app.vendor_name"),
            device_type_id: at("device.type_id"),
            os_name: at("device.os.name"),
            os_type_id: at("device.os.type_id"),
            device: Container::find("device.container", &mut at),
            source: Endpoint::find("src_endpoint", &mut at),
            destination: Endpoint::find("dst_endpoint", &mut at),
            connection: Connection::find("connection_info", &mut at),
            observation_point: at("observation_point_id"),
            is_direction_known: at("is_src_dst_assignment_known"),
            observables: at("observables"),
            actor: Process::find("actor.process", &mut at),
            process: Process::find("process", &mut at),
            event_uid: at("metadata.uid"),
            message: at("message"),
            finding_uid: at("finding_info.uid"),
            finding_title: at("finding_info.title"),
            analytic_type_id: at("finding_info.analytic.type_id"),
            analytic_type: at("finding_info.analytic.type"),
            is_alert: at("is_alert"),
            status_id: at("status_id"),
            evidence_actor: Process::find("evidences.actor.process", &mut at),
            evidence_connection: Connection::find("evidences.connection_info", &mut at),
            evidence_container: Container::find("evidences.container", &mut at),
            evidence: evidence.map(|name| at(&format!("evidences.{name}"))),
            query_type_id: at("query_evidence.query_type_id"),
            query_connection: Connection::find("query_evidence.connection_info", &mut at),
            query_result_id: at("query_result_id"),
            unmapped: at("unmapped"),
        }
    }
}

impl Container {
    fn find(path: &str, at: &mut impl FnMut(&str) -> Place) -> Self {
        let brief = ["uid", "name", "network_driver"].map(|name| at(&format!("{path}.{name}")));
        Self { whole: at(path), network_driver: brief[2], brief }
    }
}

impl Endpoint {
    fn find(path: &str, at: &mut impl FnMut(&str) -> Place) -> Self {
        let container = Container::find(&format!("{path}.container"), at);
        let [ip, name, hostname] =
            ["ip", "name", "hostname"].map(|name| at(&format!("{path}.{name}")));
        Self { whole: at(path), ip, name, hostname, container }
    }
}

impl Connection {
    fn find(path: &str, at: &mut impl FnMut(&str) -> Place) -> Self {
        let [direction_id, boundary_id] =
            ["direction_id", "boundary_id"].map(|name| at(&format!("{path}.{name}")));
        Self { whole: at(path), direction_id, boundary_id }
    }
}

impl Process {
    fn find(path: &str, at: &mut impl FnMut(&str) -> Place) -> Self {
        let container = Container::find(&format!("{path}.container"), at);
        let [pid, uid] = ["pid", "uid"].map(|name| at(&format!("{path}.{name}")));
        Self { whole: at(path), pid, uid, container }
    }
}
