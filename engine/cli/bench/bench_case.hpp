#pragma once

#include <cstdint>
#include <filesystem>
#include <string>
#include <vector>

#include "backend/backend.hpp"
#include "cli/config/config.hpp"

namespace lossmap {

/// What is measured: a network, so many points and samples, a precision.
struct BenchCase {
    std::filesystem::path model;
    std::string title;  ///< of the network; "": the file's name
    std::int64_t points = 16;
    std::int64_t samples = 256;
    Precision precision = Precision::fp32;
    LossSpec loss;

    /// "resnet20/points:16/samples:256/fp32": nothing in it depends on the machine, so that benchmarks of different
    /// ones can be told to be the same.
    [[nodiscard]] std::string name() const;
};

/// Reads a suite, {"benchmarks": [{"model", "name", "points", "samples", "precision", "loss"}, ..]}. Points, samples
/// and precision may be lists: every combination is a benchmark; what an entry does not name is `defaults`'. Paths are
/// relative to the file's folder. Throws InputError, "<file>: /json/pointer: ..".
[[nodiscard]] std::vector<BenchCase> load_suite(const std::filesystem::path& file, const BenchCase& defaults);

/// Throws InputError where two would have one name, as results could not be told apart.
void require_different_names(const std::vector<BenchCase>& cases);

/// The run whose network, data and points are measured: a line of points of a plane through the origin, on synthetic
/// samples.
[[nodiscard]] Config config_of(const BenchCase& bench, const std::string& device, const std::string& plan_cache);

}  // namespace lossmap
