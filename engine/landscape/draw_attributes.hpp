#pragma once

#include "io/hdf5_file.hpp"
#include "landscape/surface.hpp"

namespace lossmap {

/// Attributes of `<split>_loss`: how many samples were drawn at random from how many; none where they are no draw.
void write_draw(Hdf5File& file, const SplitSurface& split);

/// Puts them into `split`, where the file has them. Throws InputError on a share that makes no sense.
void read_draw(const Hdf5File& file, SplitSurface& split);

}  // namespace lossmap
