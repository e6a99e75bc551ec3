// SPDX-License-Identifier: Apache-2.0
//! A container as a web site, for visitors who bring no token: its front page instead of its list, pages for what is not there,
//! and lists that people read. What its owner says in the container's metadata makes it one; whatever a visitor gets this way
//! he is let in for as for any object and any list.
//!
//! Invariant: nobody gets by a site what he could not get without it (test: `a_site_shows_what_may_be_read_and_nothing_else`).

mod list;
mod words;

use ::api::{Cx, Fault, Reply, Response, empty};
use http::{HeaderValue, StatusCode, header};

use crate::{
    Error, Objects,
    container::{Container, table as containers},
    cors,
    grant::Who,
    listing::{self, Asked, Format},
    object::{self, Object},
    place::{self, Place},
};
use words::Words;

/// A visit to the site that a container is.
pub struct Site<'a> {
    room: &'a Objects,
    cx: &'a Cx,
    who: &'a Who,
    place: Place,
    container: Container,
    words: Words,
}

impl<'a> Site<'a> {
    /// The site, if there is one, and whoever asks is a visitor: who brings a token speaks to the API, unless he says otherwise.
    pub async fn asked_for(room: &'a Objects, cx: &'a Cx, place: &Place, who: &'a Who) -> Result<Option<Self>, Error> {
        let says_so = cx.header("x-web-mode").and_then(::words::flag::oslo) == Some(true);
        if cx.known_caller().is_some() && !says_so {
            return Ok(None);
        }
        let at = place.clone();
        let Some(container) = room.store.read(move |tx| containers::find(tx, &at)).await? else { return Ok(None) };
        let words = Words::of(&container);
        let place = place.clone();
        Ok(words.map(|words| Self { room, cx, who, place, container, words }))
    }

    /// A folder that is marked by an object of its name is no page.
    pub fn is_folder(&self, object: &Object) -> bool {
        self.words.is_site() && object.shown_size <= 1 && object.content_type == self.words.folder
    }

    /// What is shown at the container itself. None where the API answers.
    pub async fn front(&self) -> Result<Option<Response>, Fault> {
        if !self.words.is_site() {
            return Ok(None);
        }
        let may_read = self.who.reading(&self.place, Some(&self.container)).map(drop);
        let may_enter = may_read.or_else(|_| self.who.listing(&self.place, Some(&self.container)).map(drop));
        match may_enter {
            Err(error) => self.refused(error).await.map(Some),
            Ok(()) if !self.cx.path().ends_with('/') => self.with_slash().map(Some),
            Ok(()) => self.folder("").await.map(Some),
        }
    }

    /// What is shown where there is no object: the front page of the folder of this name, its list, or the page for that.
    pub async fn missing(&self, name: &str) -> Reply {
        if !self.words.is_site() {
            return Err(Error::NotFound.into());
        }
        if name.ends_with('/') {
            return self.folder(name).await;
        }
        let folder = format!("{name}/");
        let has_index = match &self.words.index {
            Some(index) => self.find(&format!("{folder}{index}")).await.is_ok(),
            None => false,
        };
        if has_index || self.holds_anything(&folder).await? { self.with_slash() } else { self.refused(Error::NotFound).await }
    }

    /// The page of the site for what is refused, if it has one.
    pub async fn refused(&self, error: Error) -> Reply {
        if let Some(page) = &self.words.error {
            let name = format!("{}{page}", error.status().as_u16());
            if let Ok(found) = self.find(&name).await {
                return Ok(object::page(self.room, self.cx, &found, error.status()));
            }
        }
        Err(error.into())
    }

    async fn folder(&self, folder: &str) -> Reply {
        if let Some(index) = &self.words.index {
            match self.find(&format!("{folder}{index}")).await {
                Ok(found) => {
                    let mut reply = object::answer(self.room, self.cx, &found, false)?;
                    cors::allow(self.cx, &found.container, reply.headers_mut());
                    return Ok(reply);
                }
                Err(Error::NotFound) => {}
                Err(error) => return self.refused(error).await,
            }
        }
        if !self.words.listings {
            return self.refused(Error::NotFound).await;
        }
        match self.entries(folder, listing::MOST).await {
            Ok(entries) if entries.is_empty() && !folder.is_empty() => self.refused(Error::NotFound).await,
            Ok(entries) => Ok(list::page(self.cx.path(), folder, &self.words, &entries)),
            Err(error) => self.refused(error).await,
        }
    }

    /// Whoever may not list learns nothing by a way to there.
    async fn holds_anything(&self, folder: &str) -> Result<bool, Error> {
        if !self.words.listings {
            return Ok(false);
        }
        match self.entries(folder, 1).await {
            Ok(entries) => Ok(!entries.is_empty()),
            Err(error) if error.status().is_client_error() => Ok(false),
            Err(error) => Err(error),
        }
    }

    async fn entries(&self, folder: &str, limit: usize) -> Result<Vec<listing::Entry<object::Shown>>, Error> {
        let asked = Asked::folder(folder, limit, Format::Text);
        let (who, place) = (self.who.clone(), self.place.clone());
        let read = self.room.store.list(move |tx| {
            let container = containers::find(tx, &place)?;
            let granted = who.listing(&place, container.as_ref())?;
            let container = container.ok_or(Error::NotFound)?;
            listing::page(&asked, |span| object::table::list(tx, &granted, &container, span))
        });
        read.await
    }

    async fn find(&self, name: &str) -> Result<object::Found, Error> {
        let place = self.place.in_container(&self.container.name, name).map_err(|_| Error::NotFound)?;
        object::find(self.room, self.who, &place, false).await
    }

    /// Pages name their neighbours by where they are, so a folder is only shown at an address that ends with a slash.
    fn with_slash(&self) -> Reply {
        let mut response = empty(StatusCode::MOVED_PERMANENTLY);
        let place = HeaderValue::from_str(&format!("{}/", self.cx.path())).map_err(Fault::internal)?;
        response.headers_mut().insert(header::LOCATION, place);
        Ok(response)
    }
}

/// A name as the address of one that lies in the folder that is shown, whatever characters it has.
fn beside(name: &str) -> String {
    format!("./{}", place::percent(name))
}
