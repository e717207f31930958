//! Entities of one kind: by id, by UUID and by what else must be unique about them. Rules between kinds are `change`'s.

use std::collections::BTreeMap;
use std::sync::Arc;

use uuid::Uuid;

use super::ConfigError;

/// What a table must know of an entity.
pub(super) trait Keyed {
    /// Its name, or whatever else only one of its kind may have.
    type Key: Ord + Clone;
    /// Kong's id.
    fn uuid(&self) -> Uuid;
    /// `None` for one without a name.
    fn key(&self) -> Option<Self::Key>;
    /// The field that holds the key, and its value in words.
    fn named(&self) -> (&'static str, String);
}

/// Entities of one kind, in order of creation.
#[derive(Debug)]
pub(super) struct Table<I, E: Keyed> {
    by_id: BTreeMap<I, Arc<E>>,
    uuids: BTreeMap<Uuid, I>,
    keys: BTreeMap<E::Key, I>,
    /// The next number; numbers are never given out twice.
    next: u32,
    /// Changes so far: two copies of one table with the same number hold the same.
    version: u64,
}

impl<I: Copy, E: Keyed> Clone for Table<I, E> {
    fn clone(&self) -> Self {
        let Self { by_id, uuids, keys, next, version } = self;
        let (by_id, uuids, keys) = (by_id.clone(), uuids.clone(), keys.clone());
        Self { by_id, uuids, keys, next: *next, version: *version }
    }
}

impl<I, E: Keyed> Default for Table<I, E> {
    fn default() -> Self {
        Self { by_id: BTreeMap::new(), uuids: BTreeMap::new(), keys: BTreeMap::new(), next: 0, version: 0 }
    }
}

impl<I: Copy + Ord + From<u32>, E: Keyed> Table<I, E> {
    pub(super) fn iter(&self) -> impl Iterator<Item = (I, &Arc<E>)> {
        self.by_id.iter().map(|(id, entity)| (*id, entity))
    }

    pub(super) fn get(&self, id: I) -> Option<&E> {
        self.by_id.get(&id).map(AsRef::as_ref)
    }

    pub(super) fn by_uuid(&self, uuid: Uuid) -> Option<(I, &E)> {
        let id = *self.uuids.get(&uuid)?;
        self.get(id).map(|entity| (id, entity))
    }

    pub(super) fn by_key(&self, key: &E::Key) -> Option<(I, &E)> {
        let id = *self.keys.get(key)?;
        self.get(id).map(|entity| (id, entity))
    }

    /// Adds `entity` under the next number.
    pub(super) fn insert(&mut self, entity: E) -> Result<I, ConfigError> {
        self.refuse_taken(&entity, None)?;
        let id = self.take();
        self.put(id, Arc::new(entity));
        Ok(id)
    }

    /// Puts `entity` in the place of the one with this id, which must be there.
    pub(super) fn update(&mut self, id: I, entity: E) -> Result<(), ConfigError> {
        self.refuse_taken(&entity, Some(id))?;
        self.remove(id);
        self.put(id, Arc::new(entity));
        Ok(())
    }

    /// Changes something about an entity that is no part of its keys.
    pub(super) fn amend(&mut self, id: I, change: impl FnOnce(&mut E)) -> Option<()>
    where
        E: Clone,
    {
        change(Arc::make_mut(self.by_id.get_mut(&id)?));
        self.version += 1;
        Some(())
    }

    pub(super) fn remove(&mut self, id: I) -> Option<Arc<E>> {
        let entity = self.by_id.remove(&id)?;
        self.version += 1;
        self.uuids.remove(&entity.uuid());
        if let Some(key) = entity.key() {
            self.keys.remove(&key);
        }
        Some(entity)
    }

    /// All entities go; their numbers are not given out again.
    pub(super) fn clear(&mut self) {
        *self = Self { next: self.next, version: self.version + 1, ..Self::default() };
    }

    /// Changes so far: a copy with the same number holds the same.
    pub(super) fn version(&self) -> u64 {
        self.version
    }

    /// The next number.
    pub(super) fn take(&mut self) -> I {
        let id = I::from(self.next);
        self.next += 1;
        id
    }

    /// Puts an entity that clashes with nobody under an id that nobody has.
    pub(super) fn put(&mut self, id: I, entity: Arc<E>) {
        self.version += 1;
        self.uuids.insert(entity.uuid(), id);
        if let Some(key) = entity.key() {
            self.keys.insert(key, id);
        }
        self.by_id.insert(id, entity);
    }

    fn refuse_taken(&self, entity: &E, own: Option<I>) -> Result<(), ConfigError> {
        let is_other = |id: &I| own != Some(*id);
        if entity.key().and_then(|key| self.keys.get(&key)).is_some_and(is_other) {
            let (field, value) = entity.named();
            return Err(ConfigError::Unique { field, value });
        }
        if self.uuids.get(&entity.uuid()).is_some_and(is_other) {
            return Err(ConfigError::Unique { field: "id", value: entity.uuid().to_string() });
        }
        Ok(())
    }
}
