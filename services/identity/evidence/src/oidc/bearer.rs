// SPDX-License-Identifier: Apache-2.0
//! People who come with a token of the issuer in hand: the command line, and programs.

use serde_json::Value;

use super::{
    Connection, Denial, claims,
    jwt::{self, Claims},
};

impl Connection {
    /// What a bearer's token says, once it is known to be good: by its signature, or, where it is opaque, by asking.
    pub async fn claims_of_bearer(&self, token: &str) -> Result<Claims, Denial> {
        if token.is_empty() || token.len() > jwt::LONGEST {
            return Err(Denial::refused(format!("a bearer's token has 1 to {} bytes", jwt::LONGEST)));
        }
        if jwt::looks_signed(token) {
            let claims = self.issuer.verify(token).await?;
            claims::check(&claims, self.issuer.url(), &self.audiences())?;
            return Ok(claims);
        }
        self.introspect(token).await
    }

    /// Tokens for us, and those that the operator said to take as well.
    fn audiences(&self) -> Vec<&str> {
        let others = self.settings.audiences.iter().map(String::as_str);
        others.chain([self.settings.client_id.as_str()]).collect()
    }

    /// RFC 7662. The issuer need not repeat what its own token is: what it leaves out, it vouches for.
    async fn introspect(&self, token: &str) -> Result<Claims, Denial> {
        let document = self.issuer.document().await?;
        let endpoint = document
            .introspection_endpoint
            .as_deref()
            .ok_or_else(|| Denial::refused("the token is not signed, and the identity provider has no introspection"))?;
        let form = [("token", token), ("token_type_hint", "access_token")];
        let client = (self.settings.client_id.as_str(), self.settings.client_secret.as_ref());
        let mut claims: Claims = self.issuer.post(endpoint, &form, client, "introspection").await?;
        if claims.get("active") != Some(&Value::Bool(true)) {
            return Err(Denial::refused("the identity provider does not know the token, or it is no longer good"));
        }
        let issuer = claims.entry("iss").or_insert_with(|| self.issuer.url().into());
        if issuer.as_str() != Some(self.issuer.url()) {
            return Err(Denial::refused("the token is of another issuer"));
        }
        let client = claims.get("client_id").and_then(Value::as_str);
        let accepted = self.audiences();
        if !claims::audience(&claims).into_iter().chain(client).any(|whom| accepted.contains(&whom)) {
            return Err(Denial::refused("the token is for another audience"));
        }
        claims::check_times(&claims, false)?;
        Ok(claims)
    }
}
