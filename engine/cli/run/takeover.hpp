#pragma once

#include <cstddef>
#include <filesystem>
#include <vector>

#include "cli/run/prepared_run.hpp"

namespace lossmap {

/// Takes over what `grow` finds under config.grow_from, before anything is computed. Points are the same where their
/// coordinates are the same fp32 numbers, which is all that arithmetic sees of them (Point): results are bit for bit
/// those of a run that computes them itself.
///
/// - A run's folder: its finished units, into run.taken_units. Throws InputError when anything but the grid differs,
///   naming it.
/// - A surface file that no run of lossmap wrote: loss and accuracy of its computed points, into run.surface, marked as
///   done; their standard errors and numbers of samples stay unknown. Nothing in it tells what it was computed from, so
///   that its content becomes part of the identity, and the points of it that lie nearest to and farthest from the
///   origin are put down in run.checked instead: they are computed and compared.
void take_over_earlier(PreparedRun& run, RunLog& log);

/// Compares run.checked with what has been computed there. Throws InputError when they are not the same within 1e-3.
void require_same_surface(const PreparedRun& run, const Surface& results);

}  // namespace lossmap
