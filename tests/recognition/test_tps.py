import numpy as np
import pytest
import torch

from ocr.recognition.extent import Extent
from ocr.recognition.trans import TPS, border_points, slanted_points


def spline(points_F2, places_N2):
    """The thin-plate spline through (border point -> point), solved directly in float64 (Bookstein, 1989)."""
    nodes = border_points(len(points_F2))
    radius = lambda p: np.linalg.norm(p[:, None] - nodes[None], axis=2)  # noqa: E731

    def kernel(r):
        return np.where(r > 0, r**2 * np.log(np.where(r > 0, r, 1)), 0)

    ones = np.ones((len(nodes), 1))
    affine = np.concatenate([ones, nodes], 1)
    system = np.block([[kernel(radius(nodes)), affine], [affine.T, np.zeros((3, 3))]])
    solution = np.linalg.solve(system, np.concatenate([points_F2, np.zeros((3, 2))]))
    return (
        kernel(radius(places_N2)) @ solution[:-3]
        + np.concatenate([np.ones((len(places_N2), 1)), places_N2], 1) @ solution[-3:]
    )


def pixel_centres(height, width):
    return np.array([[(2 * x + 1) / width - 1, (2 * y + 1) / height - 1] for y in range(height) for x in range(width)])


@pytest.mark.parametrize(("fiducials", "height", "width"), [(20, 32, 100), (20, 24, 60), (6, 48, 33)])
def test_grid_is_the_thin_plate_spline(fiducials, height, width):
    points = border_points(fiducials) + np.random.default_rng(0).normal(0, 0.1, (fiducials, 2))
    stage = TPS(1, 32, 100, fiducials=fiducials, channels=16)
    grid = stage.grid(torch.from_numpy(points).float()[None], (height, width))[0].reshape(-1, 2)
    np.testing.assert_allclose(grid, spline(points, pixel_centres(height, width)), atol=2e-4)


def test_points_on_the_border_leave_the_picture_where_it_is():
    stage = TPS(1, 32, 100, channels=16)
    grid = stage.grid(torch.from_numpy(border_points(20)).float()[None], (32, 100))[0].reshape(-1, 2)
    np.testing.assert_allclose(grid, pixel_centres(32, 100), atol=2e-4)


def test_the_first_warp_is_the_published_slant():
    stage = TPS(1, 32, 100)
    points = stage.localisation(torch.rand(2, 1, 32, 100), Extent())
    assert torch.equal(points, torch.from_numpy(slanted_points(20)).expand(2, 20, 2))
    grid = stage.grid(points, (32, 100))[0]
    corners = [grid[0, 0], grid[0, -1], grid[-1, 0], grid[-1, -1]]
    expected = [(-0.99, 0.01), (0.99, -0.98), (-0.99, 0.98), (0.99, -0.01)]
    np.testing.assert_allclose(torch.stack(corners).detach(), expected, atol=0.01)


def test_sampling_repeats_the_border_and_keeps_size_and_type():
    stage = TPS(3, 32, 100, channels=16)
    with torch.no_grad():
        stage.localisation.points.bias.copy_(torch.from_numpy(border_points(20) * 3).float().flatten())
    image = torch.zeros(1, 3, 32, 100)
    image[:, :, 0], image[:, :, -1] = 1.0, -1.0
    with torch.autocast("cpu", torch.bfloat16):
        warped = stage(image, Extent())
    assert warped.shape == image.shape
    assert warped.dtype == torch.float32
    assert (warped[0, 0, 0] == 1).all()
    assert (warped[0, 0, -1] == -1).all()


def test_weights_do_not_hold_the_image_size():
    assert not [k for k in TPS(1, 32, 100, channels=16).state_dict() if k.endswith(("system_SF", "pixels_NS"))]


@pytest.mark.parametrize(
    ("arguments", "message"), [({"fiducials": 7}, "even number"), ({"channels": 20}, "multiple of 8")]
)
def test_impossible_arguments_are_refused(arguments, message):
    with pytest.raises(ValueError, match=message):
        TPS(1, 32, 100, **arguments)
