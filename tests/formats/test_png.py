import imagecodecs
import numpy as np

from eucentric.formats import write_png


def test_first_row_of_the_array_is_at_the_bottom_of_the_picture(tmp_path):
    image = np.zeros((4, 6), np.float32)
    image[0] = 1.0
    write_png(tmp_path / "a.png", image, black=0, white=1)
    picture = imagecodecs.png_decode((tmp_path / "a.png").read_bytes())
    assert picture.shape == (4, 6)
    assert (picture[-1] == 255).all()
    assert (picture[:-1] == 0).all()


def test_values_beyond_black_and_white_are_clipped_and_a_flat_image_is_no_error(tmp_path):
    write_png(tmp_path / "b.png", np.array([[-5.0, 0.5, 7.0]]), black=0, white=1)
    assert imagecodecs.png_decode((tmp_path / "b.png").read_bytes()).tolist() == [[0, 128, 255]]
    write_png(tmp_path / "c.png", np.full((3, 3), 2.0))
    assert imagecodecs.png_decode((tmp_path / "c.png").read_bytes()).max() == 0
