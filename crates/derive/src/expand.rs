//! From the definition of a type to its `impl Module`.

use crate::attributes::{FieldAttributes, TypeAttributes};
use proc_macro2::{Ident, TokenStream, TokenTree};
use quote::{ToTokens, format_ident, quote};
use std::collections::HashSet;
use syn::ext::IdentExt;
use syn::spanned::Spanned;
use syn::{
    Data, DeriveInput, Error, Fields, GenericParam, Generics, Member, Type, TypeParamBound, WherePredicate, parse_quote,
};

/// The implementation, or an error that points at what is wrong with the definition.
pub(crate) fn expand(input: &DeriveInput) -> syn::Result<TokenStream> {
    let attributes = TypeAttributes::parse(&input.attrs)?;
    let krate = attributes.krate.unwrap_or_else(|| parse_quote!(::chainrule::layers));
    let real_parameter = real_parameter(&input.generics);
    let real: Type = match (attributes.real, &real_parameter) {
        (Some(real), _) => real,
        (None, Some(parameter)) => parse_quote!(#parameter),
        (None, None) => parse_quote!(f32),
    };

    // `match self` serves structs and enums alike, and gives references that live as long as `self`.
    let mut visited = Vec::new();
    let (mut arms, mut arms_mut) = (Vec::new(), Vec::new());
    let mut add = |pattern: TokenStream, fields: &Fields| -> syn::Result<()> {
        let fields = visited_fields(fields)?;
        for (arms, method) in [(&mut arms, quote!(visit)), (&mut arms_mut, quote!(visit_mut))] {
            let bindings = fields.iter().map(|Field { member, binding, .. }| quote!(#member: #binding));
            let calls = fields.iter().map(|Field { binding, ty, path, .. }| {
                quote!(<#ty as #krate::Module<#real>>::#method(#binding, #path, visitor);)
            });
            arms.push(quote!(#pattern { #(#bindings,)* .. } => { #(#calls)* }));
        }
        visited.extend(fields.into_iter().map(|field| field.ty));
        Ok(())
    };
    match &input.data {
        Data::Struct(data) => add(quote!(Self), &data.fields)?,
        Data::Enum(data) => {
            for variant in &data.variants {
                if let Some(attribute) = variant.attrs.iter().find(|a| a.path().is_ident("module")) {
                    return Err(Error::new(attribute.span(), "a variant takes no attributes, only its fields do"));
                }
                let name = &variant.ident;
                add(quote!(Self::#name), &variant.fields)?;
            }
        }
        Data::Union(data) => {
            return Err(Error::new(
                data.union_token.span,
                "`Module` can be derived for structs and enums, not for unions",
            ));
        }
    }
    // An enum without variants has no value: there is nothing to visit.
    let receiver = if arms.is_empty() { quote!(*self) } else { quote!(self) };

    let mut generics = input.generics.clone();
    let bounds = module_bounds(&input.generics, &real.to_token_stream(), &visited, &quote!(#krate::Module<#real>));
    if !bounds.is_empty() {
        generics.make_where_clause().predicates.extend(bounds);
    }
    let name = &input.ident;
    let (impl_generics, type_generics, where_clause) = generics.split_for_impl();
    Ok(quote! {
        #[automatically_derived]
        impl #impl_generics #krate::Module<#real> for #name #type_generics #where_clause {
            #[allow(unused_variables)]
            fn visit<'module>(
                &'module self,
                path: &#krate::Path<'_>,
                visitor: &mut dyn ::core::ops::FnMut(&#krate::Path<'_>, #krate::Entry<'module, #real>),
            ) {
                match #receiver { #(#arms)* }
            }
            #[allow(unused_variables)]
            fn visit_mut<'module>(
                &'module mut self,
                path: &#krate::Path<'_>,
                visitor: &mut dyn ::core::ops::FnMut(&#krate::Path<'_>, #krate::EntryMut<'module, #real>),
            ) {
                match #receiver { #(#arms_mut)* }
            }
        }
    })
}

/// A field that is visited.
struct Field {
    /// How the definition names it.
    member: Member,
    /// The variable it is bound to.
    binding: Ident,
    ty: Type,
    /// Its path: `path.field("name")`, `path.index(0)` or `path`.
    path: TokenStream,
}

fn visited_fields(fields: &Fields) -> syn::Result<Vec<Field>> {
    let mut visited = Vec::new();
    let mut names = HashSet::new();
    for (index, (member, field)) in fields.members().zip(fields).enumerate() {
        let attributes = FieldAttributes::parse(&field.attrs)?;
        if attributes.skip {
            continue;
        }
        let (name, path) = match (&attributes.rename, &member) {
            (Some(name), _) => (name.value(), quote!(&path.field(#name))),
            (None, Member::Named(name)) => {
                let name = name.unraw().to_string();
                (name.clone(), quote!(&path.field(#name)))
            }
            (None, Member::Unnamed(_)) => (index.to_string(), quote!(&path.index(#index))),
        };
        let path = if attributes.flatten { quote!(path) } else { path };
        if !attributes.flatten && !names.insert(name) {
            let span = attributes.rename.map_or_else(|| member.span(), |name| name.span());
            return Err(Error::new(span, "another field has this name"));
        }
        let binding = format_ident!("field_{index}");
        visited.push(Field { member, binding, ty: field.ty.clone(), path });
    }
    Ok(visited)
}

/// The type parameter bounded by `Real`, in the list of parameters or in the where clause.
fn real_parameter(generics: &Generics) -> Option<Ident> {
    fn is_real<'a>(bounds: impl IntoIterator<Item = &'a TypeParamBound>) -> bool {
        bounds.into_iter().any(|bound| match bound {
            TypeParamBound::Trait(bound) => bound.path.segments.last().is_some_and(|last| last.ident == "Real"),
            _ => false,
        })
    }
    let in_where_clause = |parameter: &Ident| {
        generics.where_clause.iter().flat_map(|clause| &clause.predicates).any(|predicate| match predicate {
            WherePredicate::Type(predicate) => {
                is_real(&predicate.bounds)
                    && matches!(&predicate.bounded_ty, Type::Path(ty) if ty.path.is_ident(parameter))
            }
            _ => false,
        })
    };
    generics.type_params().find(|p| is_real(&p.bounds) || in_where_clause(&p.ident)).map(|p| p.ident.clone())
}

/// `M: Module<T>` for every type parameter `M`, and `M::Output: Module<T>` for every associated type, in a visited field.
fn module_bounds(
    generics: &Generics,
    real: &TokenStream,
    visited: &[Type],
    module: &TokenStream,
) -> Vec<WherePredicate> {
    let parameters: HashSet<String> = generics
        .params
        .iter()
        .filter_map(|p| match p {
            GenericParam::Type(p) => Some(p.ident.to_string()),
            _ => None,
        })
        .filter(|p| *p != real.to_string())
        .collect();
    let mut seen = HashSet::new();
    let mut bounds = Vec::new();
    for ty in visited {
        for_each_parameter(ty.to_token_stream(), &parameters, &mut |found| {
            if seen.insert(found.to_string()) {
                bounds.push(parse_quote!(#found: #module));
            }
        });
    }
    bounds
}

/// Calls `found` with every `M` and `M::Output` in the tokens of a type.
fn for_each_parameter(tokens: TokenStream, parameters: &HashSet<String>, found: &mut impl FnMut(TokenStream)) {
    let tokens: Vec<TokenTree> = tokens.into_iter().collect();
    let colon = |i: usize| matches!(tokens.get(i), Some(TokenTree::Punct(p)) if p.as_char() == ':');
    for (i, token) in tokens.iter().enumerate() {
        match token {
            TokenTree::Group(group) => for_each_parameter(group.stream(), parameters, found),
            // After `::` an identifier is a path's segment and no parameter.
            TokenTree::Ident(ident)
                if parameters.contains(&ident.to_string()) && !(i >= 2 && colon(i - 1) && colon(i - 2)) =>
            {
                match tokens.get(i + 3) {
                    Some(TokenTree::Ident(associated)) if colon(i + 1) && colon(i + 2) => {
                        found(quote!(#ident::#associated))
                    }
                    _ => found(quote!(#ident)),
                }
            }
            _ => {}
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn error_of(definition: &str) -> String {
        expand(&syn::parse_str(definition).unwrap()).expect_err(definition).to_string()
    }

    fn code_of(definition: &str) -> String {
        expand(&syn::parse_str(definition).unwrap()).expect(definition).to_string().replace(' ', "")
    }

    #[test]
    fn bad_attributes_say_what_is_wrong() {
        for (definition, message) in [
            ("#[module(skip)] struct A;", "this attribute belongs on a field"),
            ("#[module(size = 3)] struct A;", "unknown attribute: a type takes `real = TYPE` and `crate = PATH`"),
            ("#[module(real = f32, real = f64)] struct A;", "this attribute is given twice"),
            ("struct A { #[module(real = f32)] a: u8 }", "this attribute belongs on the type"),
            (
                "struct A { #[module(hide)] a: u8 }",
                "unknown attribute: a field takes `skip`, `flatten` and `rename = \"NAME\"`",
            ),
            ("struct A { #[module(rename = \"\")] a: u8 }", "a field's name must not be empty"),
            ("struct A { #[module(rename = 3)] a: u8 }", "expected string literal"),
            ("struct A { #[module(skip, skip)] a: u8 }", "this attribute is given twice"),
            ("struct A { #[module(skip, rename = \"b\")] a: u8 }", "`skip`, `flatten` and `rename` exclude each other"),
            ("struct A { a: u8, #[module(rename = \"a\")] b: u8 }", "another field has this name"),
            ("struct A(#[module(rename = \"1\")] u8, u8);", "another field has this name"),
            ("enum A { #[module(skip)] B }", "a variant takes no attributes, only its fields do"),
            ("union A { a: u8 }", "`Module` can be derived for structs and enums, not for unions"),
        ] {
            assert_eq!(error_of(definition), message, "{definition}");
        }
    }

    #[test]
    fn the_number_type_is_the_real_parameter_or_f32() {
        for (definition, real) in [
            ("struct A { a: Linear }", "f32"),
            ("struct A<R: tensor::Real = f32> { a: Linear<R> }", "R"),
            ("struct A<R> where R: Real { a: Linear<R> }", "R"),
            ("#[module(real = f64)] struct A<M> { a: M }", "f64"),
        ] {
            let code = code_of(definition);
            assert!(code.contains(&format!("::chainrule::layers::Module<{real}>forA")), "{code}");
        }
    }

    #[test]
    fn parameters_of_visited_fields_are_bounded() {
        let code =
            code_of("struct A<'a, T: Real, M, U, S: Trait> { a: Vec<(M, T)>, #[module(skip)] u: U, s: S::Layer }");
        let bounds = code.split_once("where").unwrap().1.split_once('{').unwrap().0;
        assert_eq!(bounds, "M:::chainrule::layers::Module<T>,S::Layer:::chainrule::layers::Module<T>");
    }
}
