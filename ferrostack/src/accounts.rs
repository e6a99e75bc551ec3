// SPDX-License-Identifier: Apache-2.0
//! `ferrostack identity`: what the operator does on the host itself, where no password is asked for.

use std::io::Read;

use anyhow::{Context, bail, ensure};
use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use clap::{Args, Subcommand};
use types::Secret;

use crate::{
    config::Config,
    controller,
    home::Home,
    say::{self, say},
    secrets,
};

#[derive(Args)]
pub struct Arguments {
    #[command(subcommand)]
    verb: Verb,
}

#[derive(Subcommand)]
enum Verb {
    /// Make the default domain, the roles, the administrator and the catalog; what is there stays as it is
    #[command(after_help = "The controller does the same at each start; this is for a database without one.\n\
                            On the embedded database the controller must not run (see `ferrostack down`: machines run on).")]
    Bootstrap,
    /// Seal tokens with the key that was staged, and stage a new one; nobody is logged out
    #[command(after_help = "Run it as often as the keys shall change, e.g. once a week by a timer. A controller that runs\n\
                            takes up the new keys within seconds. Old keys go when the last token that they sealed has ended.\n\
                            With several controllers copy the directory of the keys to each of them after every rotation.")]
    RotateKeys,
    /// Seal what users keep here (TOTP seeds, EC2 keys, secrets of OAuth and domains) under a new key
    #[command(
        after_help = "Run it as often as these keys shall change. All is sealed anew under the key that was staged; after a\n\
                            crash on the way nothing is lost, and the next run finishes it. Controllers on this host take up the\n\
                            new keys by themselves; those on other hosts need a copy of the directory of the keys first, so stop\n\
                            them, or copy it at once.\n\
                            On the embedded database the controller must not run (see `ferrostack down`: machines run on)."
    )]
    RotateCredentialKeys,
    /// Give a user a new password, and end all that is logged in with the old one
    #[command(after_help = "The account is enabled and unlocked on the way. The new password is printed once, or read from\n\
                            standard input: `ferrostack identity reset-password alice --stdin < file`.\n\
                            On the embedded database the controller must not run (see `ferrostack down`: machines run on).")]
    ResetPassword(ResetArguments),
}

#[derive(Args)]
struct ResetArguments {
    /// A name in the default domain, or the id of a user of any domain
    #[arg(default_value = "admin")]
    user: String,
    /// Read the new password from standard input instead of drawing one
    #[arg(long)]
    stdin: bool,
}

/// Keystone takes no longer ones.
const LONGEST: u64 = 4096;

pub fn run(home: &Home, arguments: &Arguments) -> anyhow::Result<()> {
    let config = Config::read(&home.configuration)?;
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build()?;
    runtime.block_on(async {
        match &arguments.verb {
            Verb::Bootstrap => bootstrap(home, &config).await,
            Verb::RotateKeys => rotate_keys(home, &config),
            Verb::RotateCredentialKeys => rotate_credential_keys(home, &config).await,
            Verb::ResetPassword(arguments) => {
                let password = if arguments.stdin { read_password(std::io::stdin())? } else { draw_password()? };
                reset_password(home, &config, &arguments.user, &password).await?;
                if !arguments.stdin {
                    say::outcome(password.reveal())?;
                }
                Ok(())
            }
        }
    })
}

async fn bootstrap(home: &Home, config: &Config) -> anyhow::Result<()> {
    home.ensure()?;
    let store = controller::open_store(home, config).await?;
    let identity = controller::open_identity(home, config, store).await?;
    controller::bootstrap_identity(&identity, home, config).await?;
    say!(
        "Domain, roles, administrator and catalog are there. The first password is in {}.",
        home.secret(secrets::ADMIN).display()
    );
    Ok(())
}

fn rotate_keys(home: &Home, config: &Config) -> anyhow::Result<()> {
    let longest = std::time::Duration::from_secs(config.api.token_hours * 3600);
    controller::token_keys(home)?.rotate(longest).context("rotate the token keys")?;
    say!("Tokens are sealed with a new key; those that are out stay good.");
    Ok(())
}

async fn rotate_credential_keys(home: &Home, config: &Config) -> anyhow::Result<()> {
    let store = controller::open_store(home, config).await?;
    let identity = controller::open_identity(home, config, store).await?;
    identity.rotate_credential_keys().await.context("seal the credentials under a new key")?;
    say!("Credentials are sealed under a new key.");
    Ok(())
}

async fn reset_password(home: &Home, config: &Config, user: &str, password: &Secret<String>) -> anyhow::Result<()> {
    let store = controller::open_store(home, config).await?;
    let identity = controller::open_identity(home, config, store).await?;
    identity.reset_password(user, password).await.with_context(|| format!("set the password of {user}"))?;
    // What this host logs in with itself, for `ferrostack status` and the like.
    for (own, file) in [("admin", secrets::ADMIN), ("demo", secrets::DEMO)] {
        if user == own && home.secret(file).exists() {
            secrets::write(&home.secret(file), password.reveal())?;
        }
    }
    Ok(())
}

fn draw_password() -> anyhow::Result<Secret<String>> {
    let mut bytes = [0; 18];
    getrandom::fill(&mut bytes).map_err(|error| anyhow::anyhow!("draw random bytes: {error}"))?;
    Ok(Secret::new(URL_SAFE_NO_PAD.encode(bytes)))
}

/// The first line, without its end.
fn read_password(from: impl Read) -> anyhow::Result<Secret<String>> {
    let mut text = String::new();
    from.take(LONGEST + 2).read_to_string(&mut text).context("read the password from standard input")?;
    let line = text.lines().next().unwrap_or_default();
    if line.is_empty() {
        bail!("standard input held no password");
    }
    ensure!(line.len() as u64 <= LONGEST, "a password has at most {LONGEST} bytes");
    Ok(Secret::new(line.to_owned()))
}

#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::panic)]
mod tests {
    use super::*;

    fn home() -> (tempfile::TempDir, Home, Config) {
        let folder = tempfile::tempdir().unwrap();
        let home = Home::at(folder.path().to_owned());
        home.ensure().unwrap();
        (folder, home, Config::default())
    }

    fn secret(text: &str) -> Secret<String> {
        Secret::new(text.to_owned())
    }

    #[tokio::test(flavor = "multi_thread")]
    async fn bootstrap_finds_things_as_they_are() {
        let (_folder, home, config) = home();
        bootstrap(&home, &config).await.unwrap();
        let events = async || {
            let store = controller::open_store(&home, &config).await.unwrap();
            store.last_event_id().await.unwrap()
        };
        let first = secrets::read(&home, secrets::ADMIN).unwrap();
        let before = events().await;
        bootstrap(&home, &config).await.unwrap();
        assert_eq!(events().await, before, "nothing was changed");
        assert_eq!(secrets::read(&home, secrets::ADMIN).unwrap().reveal(), first.reveal());
    }

    #[tokio::test(flavor = "multi_thread")]
    async fn a_reset_password_is_the_users_and_this_hosts() {
        let (_folder, home, config) = home();
        bootstrap(&home, &config).await.unwrap();
        reset_password(&home, &config, "admin", &secret("way back")).await.unwrap();
        assert_eq!(secrets::read(&home, secrets::ADMIN).unwrap().reveal(), "way back");
        let refused = reset_password(&home, &config, "nobody", &secret("x")).await.unwrap_err();
        assert_eq!(format!("{refused:#}"), "set the password of nobody: Could not find user: nobody.");
        // A restart does not put the first one back.
        bootstrap(&home, &config).await.unwrap();
        assert_eq!(secrets::read(&home, secrets::ADMIN).unwrap().reveal(), "way back");
    }

    #[test]
    fn rotated_keys_keep_what_the_old_ones_sealed() {
        let (_folder, home, config) = home();
        let before = controller::token_keys(&home).unwrap().ring().seal(b"token", types::Timestamp::now()).unwrap();
        for _ in 0..5 {
            rotate_keys(&home, &config).unwrap();
        }
        let after = controller::token_keys(&home).unwrap().ring();
        assert_eq!(after.open(&before).unwrap().message, b"token");
        assert_eq!(std::fs::read_dir(home.secret("fernet-keys")).unwrap().count(), 7, "none goes while its tokens may live");
    }

    #[tokio::test(flavor = "multi_thread")]
    async fn credential_keys_rotate_and_old_ones_stay_for_who_is_just_writing() {
        let (_folder, home, config) = home();
        bootstrap(&home, &config).await.unwrap();
        for _ in 0..4 {
            rotate_credential_keys(&home, &config).await.unwrap();
        }
        let keys = std::fs::read_dir(home.secret("credential-keys")).unwrap().count();
        assert_eq!(keys, 6, "staged, primary, and those that were primary within the hour");
    }

    #[test]
    fn a_password_is_a_line() {
        assert_eq!(read_password(&b"secret\n"[..]).unwrap().reveal(), "secret");
        assert_eq!(read_password(&b"two words\r\nnot this"[..]).unwrap().reveal(), "two words");
        assert!(read_password(&b"\n"[..]).is_err());
        assert!(read_password(&[b'x'; 5000][..]).is_err());
    }
}
