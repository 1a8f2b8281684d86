//! The `#[module(..)]` attributes: of a type, and of a field.

use syn::meta::ParseNestedMeta;
use syn::{Attribute, LitStr, Path, Type};

/// What `#[module(..)]` on a type says.
#[derive(Default)]
pub(crate) struct TypeAttributes {
    /// `real = f64`: the number type.
    pub(crate) real: Option<Type>,
    /// `crate = path`: where the layers crate is.
    pub(crate) krate: Option<Path>,
}

/// What `#[module(..)]` on a field says.
#[derive(Default)]
pub(crate) struct FieldAttributes {
    /// `skip`: do not visit it.
    pub(crate) skip: bool,
    /// `rename = "name"`: its name in paths.
    pub(crate) rename: Option<LitStr>,
    /// `flatten`: it adds no name to the paths of what it holds.
    pub(crate) flatten: bool,
}

impl TypeAttributes {
    pub(crate) fn parse(attributes: &[Attribute]) -> syn::Result<Self> {
        let mut found = TypeAttributes::default();
        for_each_key(attributes, |meta| {
            if meta.path.is_ident("real") {
                once(&meta, found.real.is_some())?;
                found.real = Some(meta.value()?.parse()?);
            } else if meta.path.is_ident("crate") {
                once(&meta, found.krate.is_some())?;
                found.krate = Some(meta.value()?.call(Path::parse_mod_style)?);
            } else if ["skip", "rename", "flatten"].iter().any(|key| meta.path.is_ident(key)) {
                return Err(meta.error("this attribute belongs on a field"));
            } else {
                return Err(meta.error("unknown attribute: a type takes `real = TYPE` and `crate = PATH`"));
            }
            Ok(())
        })?;
        Ok(found)
    }
}

impl FieldAttributes {
    pub(crate) fn parse(attributes: &[Attribute]) -> syn::Result<Self> {
        let mut found = FieldAttributes::default();
        for_each_key(attributes, |meta| {
            if meta.path.is_ident("skip") {
                once(&meta, found.skip)?;
                found.skip = true;
            } else if meta.path.is_ident("rename") {
                once(&meta, found.rename.is_some())?;
                let name: LitStr = meta.value()?.parse()?;
                if name.value().is_empty() {
                    return Err(syn::Error::new(name.span(), "a field's name must not be empty"));
                }
                found.rename = Some(name);
            } else if meta.path.is_ident("flatten") {
                once(&meta, found.flatten)?;
                found.flatten = true;
            } else if meta.path.is_ident("real") || meta.path.is_ident("crate") {
                return Err(meta.error("this attribute belongs on the type"));
            } else {
                return Err(meta.error("unknown attribute: a field takes `skip`, `flatten` and `rename = \"NAME\"`"));
            }
            if [found.skip, found.flatten, found.rename.is_some()].into_iter().filter(|&given| given).count() > 1 {
                return Err(meta.error("`skip`, `flatten` and `rename` exclude each other"));
            }
            Ok(())
        })?;
        Ok(found)
    }
}

/// Calls `key` for every `key` or `key = value` inside the `#[module(..)]` attributes.
fn for_each_key(
    attributes: &[Attribute],
    mut key: impl FnMut(ParseNestedMeta<'_>) -> syn::Result<()>,
) -> syn::Result<()> {
    attributes.iter().filter(|a| a.path().is_ident("module")).try_for_each(|a| a.parse_nested_meta(&mut key))
}

fn once(meta: &ParseNestedMeta<'_>, seen: bool) -> syn::Result<()> {
    if seen { Err(meta.error("this attribute is given twice")) } else { Ok(()) }
}
