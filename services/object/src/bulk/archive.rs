// SPDX-License-Identifier: Apache-2.0
//! Files that come in an archive become objects: its folders at the top are containers, unless the address names one. Names in
//! an archive are names of objects and nothing else, wherever they point to on a disk.

use std::{collections::BTreeSet, io};

use api::{Cx, Fault, Reply};
use bytes::Bytes;
use futures_util::Stream;
use types::Timestamp;

use super::{
    Outcome, plain,
    tar::{self, Member},
};
use crate::{
    Error, Objects,
    container::table as containers,
    data,
    grant::Who,
    incoming::Incoming,
    limits,
    listing::Format,
    object::{Content, Kind, Wanted, Words, admit, commit, facts},
    place::Place,
};

pub fn is_asked_for(cx: &Cx) -> bool {
    cx.query().get("extract-archive").is_some()
}

pub async fn extract(room: &Objects, mut cx: Cx) -> Reply {
    let place = Place::of(&cx)?;
    let (who, format) = (Who::of(&cx), Format::of(&cx)?);
    // Who may write nothing here is told before his archive is read.
    let at = place.clone();
    let container = room.store.read(move |tx| containers::find(tx, &at)).await?;
    let granted = who.writing(&place, container.as_ref())?;
    let owner = granted.project().as_str().to_owned();
    let kind = cx.query().get("extract-archive").unwrap_or_default().to_ascii_lowercase();
    let chunks = cx.stream()?;
    let extraction = Extraction { room, who, actor: cx.actor(), place, outcome: Outcome::of_files(), made: BTreeSet::new() };
    let outcome = match kind.as_str() {
        "tar" => extraction.run(chunks).await?,
        "tar.gz" => extraction.run(Box::pin(plain::gunzip(&owner, chunks))).await?,
        other => {
            return Err(Error::Invalid(format!("Unsupported archive format '{other}': archives are tar or tar.gz here.")).into());
        }
    };
    outcome.reply(format)
}

struct Extraction<'a> {
    room: &'a Objects,
    who: Who,
    actor: store::Actor,
    place: Place,
    outcome: Outcome,
    /// Containers that are there by now.
    made: BTreeSet<String>,
}

impl Extraction<'_> {
    /// What went well until the archive turned out to be broken stays.
    async fn run<S>(mut self, chunks: S) -> Result<Outcome, Fault>
    where
        S: Stream<Item = io::Result<Bytes>> + Send + Unpin,
    {
        match self.read(Incoming::new(chunks)).await {
            Ok(()) => {}
            Err(Error::BrokenOff(cause)) if cause.kind() == io::ErrorKind::InvalidData => {
                self.outcome.body = format!("Invalid Tar File: {cause}");
            }
            Err(error @ (Error::Invalid(_) | Error::TooLarge(_))) => self.outcome.body = error.to_string(),
            Err(error) => return Err(error.into()),
        }
        Ok(self.outcome)
    }

    async fn read<S>(&mut self, mut incoming: Incoming<S>) -> Result<(), Error>
    where
        S: Stream<Item = io::Result<Bytes>> + Send + Unpin,
    {
        let (mut members, mut bytes) = (0, 0_u64);
        while let Some(member) = tar::next(&mut incoming).await? {
            (members, bytes) = (members + 1, bytes.saturating_add(member.size));
            if members > limits::ARCHIVED || bytes > limits::OBJECT_SIZE {
                let (most, size) = (limits::ARCHIVED, limits::OBJECT_SIZE);
                return Err(Error::TooLarge(format!("An archive holds {most} files at most, and {size} bytes.")));
            }
            let mut left = member.size;
            if member.is_file
                && let Some((name, place)) = self.place_of(&member)
            {
                let put = match place {
                    Ok(place) => self.put(&place, &member, &mut incoming, &mut left).await,
                    Err(error) => Err(error),
                };
                match put {
                    Ok(()) => self.outcome.created = self.outcome.created.map(|count| count + 1),
                    Err(error @ Error::BrokenOff(_)) => return Err(error),
                    Err(error) if error.status().is_client_error() => self.outcome.refused(name, &error),
                    Err(error) => return Err(error),
                }
                if self.outcome.errors.len() >= limits::FAILED {
                    return Err(Error::TooLarge(format!("{} files failed; the rest was not looked at.", limits::FAILED)));
                }
            }
            tar::skip(&mut incoming, left, member.size).await?;
        }
        Ok(())
    }

    /// Its name as it is told, and where it goes. What lies outside of any container is overlooked, as in Swift.
    fn place_of(&self, member: &Member) -> Option<(String, Result<Place, Error>)> {
        let Ok(name) = std::str::from_utf8(&member.name) else {
            let name = String::from_utf8_lossy(&member.name).into_owned();
            return Some((name, Err(Error::Precondition("The name is not UTF-8.".to_owned()))));
        };
        let name = name.strip_prefix("./").unwrap_or(name).trim_start_matches('/');
        let base = [&self.place.container, &self.place.object].into_iter().filter(|part| !part.is_empty());
        let path: Vec<&str> = base.map(|part| part.trim_end_matches('/')).chain([name]).collect();
        let path = path.join("/");
        let (container, object) =
            path.split_once('/').filter(|(container, object)| !container.is_empty() && !object.is_empty())?;
        let place = self.place.in_container(container, object);
        Some((path.clone(), place))
    }

    async fn put<S>(&mut self, place: &Place, member: &Member, incoming: &mut Incoming<S>, left: &mut u64) -> Result<(), Error>
    where
        S: Stream<Item = io::Result<Bytes>> + Send + Unpin,
    {
        self.ensure_container(place).await?;
        let stamp = Timestamp::now();
        let admitted = admit(self.room, &self.who, place, false).await?;
        let project = admitted.granted.project().as_str().to_owned();
        let bytes = Box::pin(incoming.part(left));
        let taken = data::take(self.room, &project, Some(member.size), admitted.room, bytes).await?;
        let content_type = facts::content_type(&http::HeaderMap::new(), &place.object)?;
        let wanted = Wanted { stamp, content_type, words: Words::default(), kind: Kind::Plain, delete_at: None, if_none: false };
        commit(self.room, admitted.granted, place, wanted, Content::Taken(taken)).await.map(drop)
    }

    async fn ensure_container(&mut self, place: &Place) -> Result<(), Error> {
        if self.made.contains(&place.container) {
            return Ok(());
        }
        let at = place.clone();
        if self.room.store.read(move |tx| containers::find(tx, &at)).await?.is_none() {
            let (granted, actor) = (self.who.owning(place)?, self.actor.clone());
            self.room.store.write(move |tx| containers::put(tx, &granted, &actor, |_| Ok(()))).await?;
        }
        self.made.insert(place.container.clone());
        Ok(())
    }
}
