//! Types of the fixture, against what the fixture says of itself.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

mod common;

use std::sync::Arc;

use common::{BUILDS, Build, image, line_of, run};
use weft_symbols::{BaseEncoding, Image, Type, TypeKind};

fn only(image: &Arc<Image>, path: &str) -> Type {
    image.types(path).into_iter().next().unwrap_or_else(|| panic!("no type {path}"))
}

#[test]
fn members_lie_where_the_program_has_them() {
    for build in BUILDS {
        let run = run(build);
        let shape = only(&run.modules.iter().next().unwrap().image, "shapes::Shape");
        assert_eq!((shape.name(), shape.namespace(), shape.size()), ("Shape", "shapes", run.facts["size Shape"]));
        let mut members: Vec<_> = shape.members().iter().map(|member| (member.name.as_str(), member.offset)).collect();
        members.sort_unstable();
        let offset = |name: &str| run.facts[&format!("offset Shape.{name}")];
        assert_eq!(members, [("a", offset("a")), ("b", offset("b")), ("c", offset("c"))]);
        let c = shape.at(shape.members().iter().find(|member| member.name == "c").unwrap().ty.unwrap()).unwrap();
        assert_eq!((c.name(), c.size(), c.members()[0].name.as_str()), ("(u16, u32)", 8, "__0"));
        let b = shape.at(shape.members().iter().find(|member| member.name == "b").unwrap().ty.unwrap()).unwrap();
        assert_eq!((b.path(), b.kind()), ("u64", &TypeKind::Base(BaseEncoding::Unsigned)));
    }
}

#[test]
fn enums_have_their_variants() {
    for build in BUILDS {
        let run = run(build);
        let data = only(&run.modules.iter().next().unwrap().image, "shapes::Data");
        assert_eq!(data.size(), run.facts["size Data"]);
        let part = data.variant_part().unwrap();
        let names: Vec<_> = part.variants.iter().map(|variant| variant.member.name.as_str()).collect();
        assert_eq!(names, ["Unit", "Tuple", "Named"]);
        assert_eq!(part.variants.iter().filter(|variant| variant.discriminants.is_empty()).count(), 1);
        let text = data.at(part.variants[1].member.ty.unwrap()).unwrap();
        assert_eq!(text.path(), "shapes::Data::Tuple");
        assert_eq!(text.members().len(), 2);
        // The default variant holds the niche; any value that is not listed means it.
        let width = data.discriminant_size();
        assert_eq!(width, 8);
        assert_eq!(data.active_variant(Some(3)).unwrap().member.name, "Tuple");
        let unit = part.variants[0].discriminants[0].0;
        assert_eq!(data.active_variant(Some(unit)).unwrap().member.name, "Unit");
    }
}

#[test]
fn enums_without_data_have_their_values() {
    let image = image(Build::Debug);
    let values = |path: &str| match only(&image, path).kind() {
        TypeKind::Enumeration { enumerators, .. } => {
            enumerators.iter().map(|item| (item.name.clone(), item.value)).collect::<Vec<_>>()
        }
        other => panic!("{other:?}"),
    };
    assert_eq!(values("shapes::Small"), [("Minus".into(), -3), ("Zero".into(), 0), ("Plus".into(), 5)]);
    assert_eq!(values("shapes::Wide"), [("Low".into(), 1), ("High".into(), 1 << 100)]);
    assert_eq!(only(&image, "shapes::Wide").size(), 16);
}

#[test]
fn of_two_variants_without_a_discriminant_the_possible_one_counts() {
    for build in BUILDS {
        let image = image(build);
        let result = only(&image, "core::result::Result<u32, shapes::Never>");
        let part = result.variant_part().unwrap();
        assert!(part.discriminant.is_none() && part.variants.len() == 2, "{part:?}");
        assert_eq!(result.active_variant(None).unwrap().member.name, "Ok");
        assert!(only(&image, "shapes::Never").is_uninhabited());
        assert!(!result.is_uninhabited());
        let ok = result.template_argument("T").unwrap();
        assert_eq!((ok.name(), ok.size()), ("u32", 4));
    }
}

#[test]
fn unions_arrays_and_pointers() {
    let image = image(Build::Debug);
    let both = only(&image, "shapes::Both");
    let TypeKind::Union(members) = both.kind() else { panic!("{both:?}") };
    assert_eq!(members.iter().map(|member| member.offset).collect::<Vec<_>>(), [0, 0]);
    let bytes = both.at(members[1].ty.unwrap()).unwrap();
    let TypeKind::Array { count: Some(6), element: Some(element) } = bytes.kind() else { panic!("{:?}", bytes.kind()) };
    assert_eq!((bytes.size(), bytes.at(*element).unwrap().name()), (6, "u8"));
    let worker = only(&image, "shapes::nested::{impl#0}::work::{async_fn_env#0}<u32>");
    let payload = worker.at(worker.variant_part().unwrap().variants[0].member.ty.unwrap()).unwrap();
    let captured = payload.members().iter().find(|member| member.name == "self").unwrap();
    let pointer = payload.at(captured.ty.unwrap()).unwrap();
    let TypeKind::Pointer(Some(target)) = pointer.kind() else { panic!("{pointer:?}") };
    assert_eq!((pointer.size(), pointer.at(*target).unwrap().path()), (8, "shapes::nested::Worker<u32>"));
}

#[test]
fn a_coroutine_says_where_it_awaits() {
    for build in BUILDS {
        let image = image(build);
        let worker = only(&image, "shapes::nested::{impl#0}::work::{async_fn_env#0}<u32>");
        assert!(worker.is_coroutine());
        assert_eq!(worker.declared().unwrap().line, line_of("pub async fn work"));
        let part = worker.variant_part().unwrap();
        assert_eq!(part.discriminant.as_ref().unwrap().name, "__state");
        let awaits: Vec<_> = part.variants[3..]
            .iter()
            .map(|variant| (variant.member.name.as_str(), variant.member.declared.as_ref().unwrap().line))
            .collect();
        assert_eq!(
            awaits,
            [("3", line_of("super::Yield(false).await")), ("4", line_of("super::inner(doubled).await"))]
        );
        assert!(part.variants[3].member.declared.as_ref().unwrap().file.ends_with("tests/fixtures/shapes.rs"));
        let function = worker.coroutine_function().unwrap();
        assert_eq!((function.name.as_str(), function.krate.as_str()), ("shapes::nested::Worker::work", "shapes"));
    }
}
