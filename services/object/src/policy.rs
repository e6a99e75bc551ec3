// SPDX-License-Identifier: Apache-2.0
//! What a role in the project of an account is good for, as Swift has it behind Keystone: readers read, members own. A reseller
//! owns all accounts, and sets what they may hold. Beside these stands what a container's owner has said himself
//! ([`grant`](crate::grant)).

const RESELLER: &str = "role:ResellerAdmin or rule:context_is_admin";
const OWNER: &str = "(role:member or role:swiftoperator) and project_id:%(project_id)s or rule:reseller";
const READER: &str = "role:reader and project_id:%(project_id)s or rule:account_owner";

pub const RULES: &[api::Rule] = &[("reseller", RESELLER), ("account_owner", OWNER)];

access::policies! {
    READ = "object_store:read", READER, "Read whatever is in an account of objects, and list it";
    WRITE = "object_store:write", "rule:account_owner", "Change whatever is in an account of objects, and who else may";
    RESELL = "object_store:resell", "rule:reseller", "Set what an account of objects may hold";
}
