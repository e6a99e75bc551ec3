// SPDX-License-Identifier: Apache-2.0
//! Our four kinds of value in PostgreSQL's types, both ways.

use std::error::Error as StdError;

use tokio_postgres::types::private::BytesMut;
use tokio_postgres::types::{FromSql, IsNull, ToSql, Type, to_sql_checked};

use crate::{Value, ValueRef};

type Fault = Box<dyn StdError + Sync + Send>;

/// A parameter; the server says which type it wants.
#[derive(Debug)]
pub(crate) struct Param<'a>(pub(crate) &'a Value);

/// A column of a row.
pub(crate) struct Column<'a>(pub(crate) ValueRef<'a>);

impl ToSql for Param<'_> {
    fn to_sql(&self, wanted: &Type, out: &mut BytesMut) -> Result<IsNull, Fault> {
        match (self.0, wanted) {
            (Value::Null, _) => Ok(IsNull::Yes),
            (Value::Int(number), &Type::INT8) => number.to_sql(wanted, out),
            (Value::Int(number), &Type::INT4) => i32::try_from(*number)?.to_sql(wanted, out),
            (Value::Int(number), &Type::INT2) => i16::try_from(*number)?.to_sql(wanted, out),
            (Value::Int(number), &Type::BOOL) => (*number != 0).to_sql(wanted, out),
            (Value::Int(number), &Type::NUMERIC) => {
                numeric_to_sql(*number, out);
                Ok(IsNull::No)
            }
            (Value::Text(text), _) if <&str as ToSql>::accepts(wanted) => text.as_str().to_sql(wanted, out),
            (Value::Blob(bytes), &Type::BYTEA) => bytes.as_slice().to_sql(wanted, out),
            (value, wanted) => Err(format!("a {} is given where {wanted} belongs", kind(value)).into()),
        }
    }

    fn accepts(_: &Type) -> bool {
        // Whether the value fits is known only with the value.
        true
    }

    to_sql_checked!();
}

impl<'a> FromSql<'a> for Column<'a> {
    fn from_sql(given: &Type, raw: &'a [u8]) -> Result<Self, Fault> {
        Ok(Self(match *given {
            Type::INT8 => ValueRef::Int(i64::from_sql(given, raw)?),
            Type::INT4 => ValueRef::Int(i32::from_sql(given, raw)?.into()),
            Type::INT2 => ValueRef::Int(i16::from_sql(given, raw)?.into()),
            Type::BOOL => ValueRef::Int(bool::from_sql(given, raw)?.into()),
            Type::NUMERIC => ValueRef::Int(numeric_from_sql(raw)?),
            Type::BYTEA => ValueRef::Blob(raw),
            Type::VOID => ValueRef::Null,
            _ if <&str as FromSql>::accepts(given) => ValueRef::Text(std::str::from_utf8(raw)?),
            _ => return Err(format!("{given} is a type that the store does not know").into()),
        }))
    }

    fn from_sql_null(_: &Type) -> Result<Self, Fault> {
        Ok(Self(ValueRef::Null))
    }

    fn accepts(_: &Type) -> bool {
        true
    }
}

fn kind(value: &Value) -> &'static str {
    match value {
        Value::Null => "null",
        Value::Int(_) => "integer",
        Value::Text(_) => "text",
        Value::Blob(_) => "blob",
    }
}

/// Digits of NUMERIC are of base 10,000.
const BASE: i128 = 10_000;
const NEGATIVE: u16 = 0x4000;

/// `sum()` of integers is a NUMERIC on PostgreSQL; here it is an integer again.
fn numeric_from_sql(raw: &[u8]) -> Result<i64, Fault> {
    let words: Vec<u16> = raw.chunks_exact(2).map(|pair| u16::from_be_bytes([pair[0], pair[1]])).collect();
    let [count, weight, sign, _scale, digits @ ..] = words.as_slice() else {
        return Err("a NUMERIC is cut short".into());
    };
    if !matches!(*sign, 0 | NEGATIVE) || digits.len() != usize::from(*count) {
        return Err("a NUMERIC is no number".into());
    }
    // The first digit stands for BASE^weight; i16 travels as u16.
    let places = i32::from(weight.cast_signed()) + 1;
    let mut number: i128 = 0;
    for place in 0..places.max(i32::from(*count)) {
        let digit = usize::try_from(place).ok().and_then(|at| digits.get(at));
        let digit = i128::from(digit.copied().unwrap_or(0));
        if place >= places {
            if digit != 0 {
                return Err("a NUMERIC has a fraction".into());
            }
            continue;
        }
        number = number.checked_mul(BASE).and_then(|n| n.checked_add(digit)).ok_or("a NUMERIC is too large")?;
    }
    let signed = if *sign == NEGATIVE { -number } else { number };
    Ok(i64::try_from(signed)?)
}

fn numeric_to_sql(number: i64, out: &mut BytesMut) {
    let mut digits = Vec::new();
    let mut left = i128::from(number).unsigned_abs();
    while left > 0 {
        digits.push((left % BASE.unsigned_abs()) as u16);
        left /= BASE.unsigned_abs();
    }
    digits.reverse();
    let count = digits.len() as u16;
    let sign = if number < 0 { NEGATIVE } else { 0 };
    for word in [count, count.saturating_sub(1), sign, 0].into_iter().chain(digits) {
        out.extend_from_slice(&word.to_be_bytes());
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn integers_pass_through_numeric_unchanged() {
        for number in [0, 1, -1, 9_999, 10_000, -10_001, 120_000_000, i64::MAX, i64::MIN] {
            let mut raw = BytesMut::new();
            numeric_to_sql(number, &mut raw);
            assert_eq!(numeric_from_sql(&raw).unwrap(), number);
        }
    }
}
