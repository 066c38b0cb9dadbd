from pathlib import Path

import pytest
import torch
from torch import Tensor

from avdub.checkpoint import load_module, save_module
from avdub.models.latents_to_face import (
    Exemplars,
    LatentsToFace,
    LatentsToFaceConfig,
    Mouth,
    Target,
    at_times,
    render,
)
from tests.models.made import level, noise, shaken, size_of, without_gradient
from tests.models.test_face_fields import lip_shape
from tests.tiny import make_latents_to_face

B, K, A = 2, 3, 6
S = LatentsToFaceConfig.tiny().size


@pytest.fixture
def model() -> LatentsToFace:
    return make_latents_to_face()


def images(*shape: int, seed: int) -> Tensor:
    """Smooth pictures between 0.2 and 0.8, so that nothing is clipped."""
    coarse = 0.2 + 0.6 * torch.rand(*shape, 3, 4, 4, generator=torch.Generator().manual_seed(seed))
    flat = torch.nn.functional.interpolate(coarse.flatten(0, -4), size=(S, S), mode="bilinear")
    return flat.view(*shape, 3, S, S)


@pytest.fixture
def target() -> Target:
    mask = torch.zeros(B, 1, S, S)
    mask[..., S // 4 : -S // 4, S // 4 : -S // 4] = 1
    shapes = torch.stack([lip_shape(0.03), lip_shape(0.09)])
    still = torch.rand(B, A, 2, generator=torch.Generator().manual_seed(3))
    return Target(images(B, seed=1), mask, shapes, still)


@pytest.fixture
def exemplars(target: Target) -> Exemplars:
    shapes = torch.stack([lip_shape(gap) for gap in (0.02, 0.06, 0.1)]).expand(B, K, 57, 2)
    still = target.still[:, None] + 0.01 * noise(B, K, A, 2, seed=5)
    return Exemplars(images(B, K, seed=2), shapes, still, torch.zeros(B, K, dtype=torch.bool))


@pytest.fixture
def mouth(model: LatentsToFace, target: Target, exemplars: Exemplars) -> Mouth:
    made: Mouth = model(target, exemplars)
    return made


def test_shapes_follow_the_config(mouth: Mouth) -> None:
    assert mouth.flow.shape == (B, K, 2, S, S)
    assert mouth.weights.shape == (B, K, S, S)
    assert mouth.residual.shape == (B, 1, S, S)
    assert mouth.image.shape == (B, 3, S, S)


def test_weights_add_up_to_one(mouth: Mouth) -> None:
    torch.testing.assert_close(mouth.weights.sum(1), torch.ones(B, S, S))
    assert (mouth.weights >= 0).all()


def test_outside_the_mask_nothing_changes(mouth: Mouth, target: Target) -> None:
    outside = (target.mask == 0).expand_as(target.image)
    assert torch.equal(mouth.image[outside], target.image[outside])


def test_inside_the_mask_the_old_mouth_is_not_seen(
    model: LatentsToFace, mouth: Mouth, target: Target, exemplars: Exemplars
) -> None:
    other = target._replace(image=torch.where(target.mask > 0, 0.5, target.image))
    assert torch.equal(model(other, exemplars).image, mouth.image)


def test_rendered_at_its_own_size_the_mouth_is_the_image(
    mouth: Mouth, target: Target, exemplars: Exemplars
) -> None:
    inside = (target.mask == 1).expand_as(mouth.image)
    made = render(mouth, exemplars.images, S)
    torch.testing.assert_close(made[inside], mouth.image[inside], atol=1e-5, rtol=0)


def test_a_larger_rendering_shows_the_same_mouth(mouth: Mouth, exemplars: Exemplars) -> None:
    large = torch.nn.functional.interpolate(
        exemplars.images.flatten(0, 1), scale_factor=3.0, mode="bilinear"
    ).view(B, K, 3, 3 * S, 3 * S)
    made = render(mouth, large, 3 * S)
    assert made.shape == (B, 3, 3 * S, 3 * S)
    small = torch.nn.functional.avg_pool2d(made, 3)
    assert (small - render(mouth, exemplars.images, S)).abs().mean() < 0.01


def test_detail_comes_from_the_exemplars_own_resolution(mouth: Mouth) -> None:
    """A fine pattern that the model's own size cannot hold survives rendering."""
    stripes = 0.5 + 0.3 * torch.tensor([1.0, -1.0]).repeat(2 * S).expand(B, K, 3, 4 * S, 4 * S)
    still = torch.stack(torch.meshgrid(*[torch.linspace(-1, 1, S)] * 2, indexing="xy"))
    plain = Mouth(
        (still * (S - 1) / S).expand(B, K, 2, S, S),
        mouth.weights,
        torch.zeros_like(mouth.residual),
        mouth.image,
    )
    made = render(plain, stripes, 4 * S)
    middle = made[..., 8:-8, 8:-8]
    torch.testing.assert_close(middle, stripes[:, 0, :, 8:-8, 8:-8], atol=0.02, rtol=0)


def test_an_exemplar_that_is_the_target_is_chosen(
    model: LatentsToFace, target: Target, exemplars: Exemplars
) -> None:
    shapes = exemplars.shapes.clone()
    shapes[:, 1] = target.shape
    still = target.still[:, None].expand(B, K, A, 2)
    mouth = model(target, exemplars._replace(shapes=shapes, still=still))
    assert (mouth.weights.mean((2, 3)).argmax(1) == 1).all()


def test_frames_of_a_batch_do_not_see_each_other(
    model: LatentsToFace, mouth: Mouth, target: Target, exemplars: Exemplars
) -> None:
    alone = model(Target(*(t[1:] for t in target)), Exemplars(*(t[1:] for t in exemplars[:4])))
    torch.testing.assert_close(mouth.image[1:], alone.image, atol=1e-5, rtol=1e-5)


def test_any_number_of_exemplars_will_do(
    model: LatentsToFace, target: Target, exemplars: Exemplars
) -> None:
    one = model(target, Exemplars(*(t[:, :1] for t in exemplars[:4])))
    torch.testing.assert_close(one.weights, torch.ones(B, 1, S, S))


def test_crops_of_another_size_are_refused(
    model: LatentsToFace, target: Target, exemplars: Exemplars
) -> None:
    with pytest.raises(AssertionError, match=f"{S} pixels wide"):
        model(target._replace(image=target.image[..., 1:]), exemplars)


def test_every_parameter_of_the_painter_learns(
    model: LatentsToFace, target: Target, exemplars: Exemplars
) -> None:
    shaken(model)
    unmoved = without_gradient(model, lambda: size_of(model(target, exemplars).image))
    assert {name for name in unmoved if not name.startswith("lips.")} == set()


def test_every_parameter_of_the_lip_head_learns(model: LatentsToFace) -> None:
    shaken(model)
    unmoved = without_gradient(model.lips, lambda: size_of(*model.lips(noise(2, 16, 9))))
    assert unmoved == set()


def test_the_lip_head_has_a_shape_for_every_step(model: LatentsToFace) -> None:
    assert model.lips(noise(2, 16, 9)).shape == (2, 9, 57, 2)


def test_a_mouth_does_not_depend_on_the_length_of_the_line(model: LatentsToFace) -> None:
    vec = noise(1, 16, 60)
    longer = torch.nn.functional.pad(vec, (0, 60))
    torch.testing.assert_close(model.lips(longer)[:, :20], model.lips(vec)[:, :20])


def test_the_frame_being_edited_is_never_chosen(
    model: LatentsToFace, target: Target, exemplars: Exemplars
) -> None:
    banned = torch.zeros(B, K, dtype=torch.bool)
    banned[0, 1] = True
    mouth = model(target, exemplars._replace(banned=banned))
    assert mouth.weights[0, 1].max() < 1e-6
    assert mouth.weights[1, 1].max() > 1e-6


def test_lips_are_looked_up_at_the_frames_own_times(model: LatentsToFace) -> None:
    vec = noise(9, 16)
    times = (torch.arange(9) + 0.5) / 50
    steps = model.lips(vec.T[None])
    torch.testing.assert_close(model.lip_shapes(vec, times), steps[0])


def test_between_steps_rows_are_mixed_and_beyond_them_repeated() -> None:
    rows = torch.tensor([[0.0], [2.0], [6.0]])
    times = torch.tensor([-1.0, 0.01, 0.02, 0.04, 7.0])
    torch.testing.assert_close(at_times(rows, times)[:, 0], torch.tensor([0.0, 0.0, 1.0, 4.0, 6.0]))


def test_saved_weights_paint_the_same_within_float16(
    model: LatentsToFace, mouth: Mouth, target: Target, exemplars: Exemplars, tmp_path: Path
) -> None:
    save_module(tmp_path / "m.safetensors", model, model.config)
    loaded = load_module(tmp_path / "m.safetensors", LatentsToFace, LatentsToFaceConfig)
    assert loaded.config == model.config
    torch.testing.assert_close(loaded(target, exemplars).image, mouth.image, atol=0.01, rtol=0)


def test_the_residual_adds_light_and_no_colour(
    model: LatentsToFace, target: Target, exemplars: Exemplars
) -> None:
    shaken(model)
    grey = exemplars._replace(
        images=exemplars.images.mean(2, keepdim=True).expand_as(exemplars.images)
    )
    made = model(target, grey)
    inside = target.mask.expand_as(made.image) > 0.999
    spread = (made.image - made.image.mean(1, keepdim=True)).abs()
    assert level(made.residual) > 0.01
    assert spread[inside].max() < 1e-5


def test_without_light_the_mouth_is_what_was_gathered(
    model: LatentsToFace, target: Target, exemplars: Exemplars
) -> None:
    shaken(model)
    assert level(model(target, exemplars).residual) > 0.01
    plain = model.with_light(False)
    assert not plain(target, exemplars).residual.any()
    torch.testing.assert_close(
        plain.with_light(True)(target, exemplars).image, model(target, exemplars).image
    )


def test_a_recorded_number(model: LatentsToFace, target: Target, exemplars: Exemplars) -> None:
    shaken(model)
    made = model(target, exemplars)
    lips = model.lips(noise(1, 16, 9))
    assert [level(made.image), level(made.residual), level(lips)] == pytest.approx(
        [0.43926, 0.11390, 0.05392], rel=2e-3
    )


def test_exemplars_shared_by_all_targets_are_as_if_repeated(
    model: LatentsToFace, mouth: Mouth, target: Target, exemplars: Exemplars
) -> None:
    own = Exemplars(*(t[:1].expand_as(t) for t in exemplars[:4]))
    shared = Exemplars(*(t[:1] for t in exemplars[:3]), exemplars.banned)
    torch.testing.assert_close(model(target, shared).image, model(target, own).image)
    made = render(mouth, shared.images, S)
    torch.testing.assert_close(made, render(mouth, own.images, S))


def test_a_part_is_rendered_as_in_the_whole(mouth: Mouth, exemplars: Exemplars) -> None:
    part = render(mouth, exemplars.images, 3 * S, (6, 10, 40, 3 * S))
    whole = render(mouth, exemplars.images, 3 * S)
    torch.testing.assert_close(part, whole[..., 10:, 6:40], atol=1e-5, rtol=0)
