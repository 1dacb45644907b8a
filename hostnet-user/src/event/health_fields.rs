//! What documents of the agent about itself have: `hostnet.health` is what the event's type
//! says, under the same names; what was lost is in `hostnet.loss`.

use std::{borrow::Cow, sync::Arc};

use serde::{Deserialize, Serialize, de::DeserializeOwned};
use serde_json::{Map, Value};

use super::{
    Cgroup, ContainerName, LossCount, NotOurs, Owner, OwnerKind, document::summable, total,
};

/// What only the agent's events about itself have.
#[derive(Serialize, Deserialize)]
pub struct OwnOfHealth<'a> {
    #[serde(skip_serializing_if = "Option::is_none")]
    pub health: Option<Value>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub loss: Option<LossFields<'a>>,
}

part! {
    /// `hostnet.loss`.
    struct LossFields<'a> at "loss" {
        #[serde(skip_serializing_if = "Option::is_none")]
        by: Option<Vec<LossOf<'a>>> = Objects, "The same by owner and kind.";
        count: u64 = Number, "How many.";
        place: Cow<'a, str> = Word(PLACES), "Where records were lost, or counted instead of told (`kernel-budget`: acts of owners beyond their budgets); `kernel-map`: processes that could not be followed out of their container's cgroup; `agent-table`: what a full table of the agent has no room for, because its owner has its share of it; `sink`: not delivered to one; `history`: not kept on this host.";
        #[serde(skip_serializing_if = "Option::is_none")]
        reason: Option<Cow<'a, str>> = Text, "Why, where that is known.";
    }
}

const PLACES: &[&str] = &[
    "kernel-ring",
    "kernel-budget",
    "kernel-program",
    "kernel-map",
    "agent-table",
    "decode",
    "sink",
    "history",
    "restart",
];

part! {
    /// One of `hostnet.loss.by`.
    struct LossOf<'a> at "loss.by" {
        #[serde(skip_serializing_if = "Option::is_none")]
        cgroup: Option<LossCgroup> = Free, "The owner's cgroup.";
        #[serde(skip_serializing_if = "Option::is_none")]
        container: Option<ContainerName<'a>> = Free, "The owner's container.";
        count: u64 = Number, "How many.";
        #[serde(default, skip_serializing_if = "is_zero")]
        new: u64 = Number, "Those of them that were no repeats (`kernel-budget`).";
        operation: Cow<'a, str> = Text, "Kind of record, or program that was not run.";
        #[serde(skip_serializing_if = "Option::is_none")]
        owner: Option<Cow<'a, str>> = Text, "The owner's name.";
    }
}

/// The cgroup of an owner, whose path is written even where it is not known.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct LossCgroup {
    id: u64,
    #[serde(default)]
    path: String,
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde asks for it")]
const fn is_zero(count: &u64) -> bool {
    *count == 0
}

/// What a value of an enum says, by the names of its fields.
pub fn said(value: &impl Serialize) -> Map<String, Value> {
    let Ok(Value::Object(tagged)) = serde_json::to_value(value) else { return Map::new() };
    match tagged.into_iter().next() {
        Some((_, Value::Object(fields))) => fields,
        _ => Map::new(),
    }
}

impl<'a> OwnOfHealth<'a> {
    /// With these fields and no loss.
    #[must_use]
    pub fn of(health: Map<String, Value>) -> Self {
        Self { health: Some(health.into()), loss: None }
    }

    /// With nothing but a loss, or not even that.
    #[must_use]
    pub const fn of_loss(loss: Option<LossFields<'a>>) -> Self {
        Self { health: None, loss }
    }

    /// The value of an enum that says this, and `more`, which stands elsewhere.
    ///
    /// # Errors
    /// When a field is missing, or is not what it should be.
    pub fn read<T: DeserializeOwned, const N: usize>(
        self,
        variant: &str,
        more: [(&str, Value); N],
    ) -> Result<T, NotOurs> {
        const FIELD: &str = "hostnet.health";
        let health = self.health.ok_or_else(|| NotOurs::missing(FIELD))?;
        let Value::Object(mut fields) = health else {
            return Err(NotOurs::field(FIELD, "not an object"));
        };
        fields.extend(more.map(|(name, value)| (name.to_owned(), value)));
        let tagged = Map::from_iter([(variant.to_owned(), Value::Object(fields))]);
        serde_path_to_error::deserialize(Value::Object(tagged)).map_err(|error| {
            let mut error = NotOurs::below(FIELD, &error);
            // Documents do not name the variant.
            if let NotOurs::Field { field, .. } = &mut error {
                *field = field.replacen(&format!(".{variant}"), "", 1);
            }
            error
        })
    }

    /// The loss of an event that cannot be without.
    ///
    /// # Errors
    /// When there is none, or its counts are nonsense.
    pub fn loss(self) -> Result<LossFields<'a>, NotOurs> {
        let loss = self.loss.ok_or_else(|| NotOurs::missing("hostnet.loss"))?;
        let by = loss.by.as_deref().unwrap_or_default();
        summable("hostnet.loss.by.count", by.iter().map(|one| one.count))?;
        Ok(loss)
    }
}

impl<'a> LossFields<'a> {
    /// So many in one place.
    #[must_use]
    pub fn of(place: &'a str, count: u64, reason: Option<&'a str>) -> Self {
        Self { by: None, count, place: place.into(), reason: reason.map(Into::into) }
    }

    /// By owner and kind.
    #[must_use]
    pub fn by(place: &'a str, by: &'a [LossCount]) -> Self {
        let count = total(by.iter().map(|loss| loss.count));
        let by = Some(by.iter().map(LossOf::from).collect());
        Self { by, ..Self::of(place, count, None) }
    }

    /// The same again.
    #[must_use]
    pub fn counts(self) -> Vec<LossCount> {
        self.by.unwrap_or_default().into_iter().map(LossCount::from).collect()
    }
}

impl<'a> From<&'a LossCount> for LossOf<'a> {
    fn from(loss: &'a LossCount) -> Self {
        let owner = loss.owner.as_deref();
        Self {
            cgroup: owner
                .map(|owner| LossCgroup { id: owner.cgroup_id, path: owner.cgroup_path.clone() }),
            container: owner.and_then(Owner::container_name),
            count: loss.count,
            new: loss.new,
            operation: loss.operation.as_str().into(),
            owner: owner.map(|owner| owner.label().into()),
        }
    }
}

/// Of whoever has that label.
impl From<LossOf<'_>> for LossCount {
    fn from(loss: LossOf<'_>) -> Self {
        let kind = match (&loss.container, loss.owner.as_deref()) {
            (Some(_), _) => OwnerKind::Container,
            (None, Some("host")) => OwnerKind::Host,
            (None, Some("container-unknown")) => OwnerKind::ContainerUnknown,
            (None, _) => OwnerKind::Unknown,
        };
        let cgroup = loss.cgroup.map(|LossCgroup { id, path }| Cgroup { id, path });
        let owner = || Arc::new(Owner::named(kind, loss.container, cgroup.as_ref()));
        Self {
            owner: loss.owner.is_some().then(owner),
            operation: loss.operation.into_owned(),
            count: loss.count,
            new: loss.new,
        }
    }
}
