#include "data/split_files.hpp"

#include <algorithm>
#include <functional>

#include <fmt/ranges.h>

#include "core/error.hpp"
#include "io/cifar.hpp"
#include "io/idx.hpp"
#include "io/npy.hpp"
#include "io/npz.hpp"

namespace lossmap {

namespace fs = std::filesystem;

namespace {

std::string names_of(const std::vector<fs::path>& files) {
    std::vector<std::string> names;
    for (const fs::path& file : files)
        names.push_back(file.filename().string());
    return fmt::format("{}", fmt::join(names, ", "));
}

std::vector<std::string> names_of(const std::vector<FieldInfo>& inputs) {
    std::vector<std::string> names;
    for (const FieldInfo& input : inputs)
        names.push_back(input.name);
    return names;
}

void require_one_input(const DataExpectation& expectation, const char* format) {
    if (expectation.inputs.size() != 1) {
        throw InputError("{} data give a model one input, but it has {} ({}); use npz or npy", format,
                         expectation.inputs.size(), fmt::join(names_of(expectation.inputs), ", "));
    }
}

/// Opens every file by `open` and joins the rows.
RowSource join(const std::vector<fs::path>& files, const std::function<RowSource(const fs::path&)>& open,
               const char* what) {
    if (files.empty()) throw InputError("the data name no {}", what);
    RowSource joined = open(files.front());
    for (auto file = files.begin() + 1; file != files.end(); ++file)
        joined.append(open(*file));
    return joined;
}

OpenedSplit open_cifar(const DataSpec& spec, const DataExpectation& expectation) {
    require_one_input(expectation, "cifar10");
    const auto images_of = [](const fs::path& file) {
        const ArrayBytes records = map_cifar(file);
        RowSource images(DType::u8, {3, 32, 32});
        images.append(records, records.shape[0], kCifarLabelBytes, kCifarRecordBytes);
        return images;
    };
    const auto labels_of = [](const fs::path& file) {
        const ArrayBytes records = map_cifar(file);
        RowSource labels(DType::u8, {});
        labels.append(records, records.shape[0], 0, kCifarRecordBytes);
        return labels;
    };
    OpenedSplit split;
    split.inputs.push_back(join(spec.files.files, images_of, "files"));
    if (expectation.needs_target) split.target = join(spec.files.files, labels_of, "files");
    split.description = "cifar10 data from " + names_of(spec.files.files);
    return split;
}

OpenedSplit open_idx(const DataSpec& spec, const DataExpectation& expectation) {
    require_one_input(expectation, "idx");
    const auto images_of = [](const fs::path& file) {
        ArrayBytes images = read_idx(file);
        // Grey images have one channel: [N, H, W] are samples [1, H, W].
        if (images.shape.size() == 3) images.shape.insert(images.shape.begin() + 1, 1);
        return RowSource::from_array(images);
    };
    const auto labels_of = [](const fs::path& file) {
        const ArrayBytes labels = read_idx(file);
        if (labels.shape.size() != 1) {
            throw InputError("{}: has shape {}, expected one label a sample", labels.source, to_string(labels.shape));
        }
        return RowSource::from_array(labels);
    };
    OpenedSplit split;
    split.inputs.push_back(join(spec.files.images, images_of, "images"));
    if (expectation.needs_target) split.target = join(spec.files.labels, labels_of, "labels");
    split.description = "idx data from " + names_of(spec.files.images);
    return split;
}

/// Name of the array that feeds an input of the model.
std::string array_of(const FieldInfo& input, const DataSpec& spec, const DataExpectation& expectation) {
    if (spec.inputs.empty()) return expectation.inputs.size() == 1 ? "x" : input.name;
    const auto named = spec.inputs.find(input.name);
    if (named == spec.inputs.end()) throw InputError("the data name no array for the model's input '{}'", input.name);
    return named->second;
}

void require_known_inputs(const DataSpec& spec, const DataExpectation& expectation) {
    const std::vector<std::string> known = names_of(expectation.inputs);
    for (const auto& [input, array] : spec.inputs) {
        if (std::find(known.begin(), known.end(), input) == known.end()) {
            throw InputError("the data name an array for '{}', but the model's inputs are {}", input,
                             fmt::join(known, ", "));
        }
    }
}

/// npz and npy differ only in where an array of a name comes from.
OpenedSplit open_arrays(const DataSpec& spec, const DataExpectation& expectation,
                        const std::function<ArrayBytes(const std::string&)>& open) {
    require_known_inputs(spec, expectation);
    OpenedSplit split;
    for (const FieldInfo& input : expectation.inputs) {
        split.inputs.push_back(RowSource::from_array(open(array_of(input, spec, expectation))));
    }
    if (expectation.needs_target) split.target = RowSource::from_array(open(spec.target));
    return split;
}

OpenedSplit open_npz(const DataSpec& spec, const DataExpectation& expectation) {
    if (spec.files.files.size() != 1) {
        throw InputError("npz data are one file a split, {} are given", spec.files.files.size());
    }
    const NpzFile file(spec.files.files.front());
    OpenedSplit split = open_arrays(spec, expectation, [&](const std::string& name) { return file.array(name); });
    split.description = "npz data from " + names_of(spec.files.files);
    return split;
}

OpenedSplit open_npy(const DataSpec& spec, const DataExpectation& expectation) {
    std::vector<fs::path> used;
    const auto open = [&](const std::string& name) {
        const auto named = spec.files.arrays.find(name);
        if (named == spec.files.arrays.end()) {
            std::vector<std::string> given;
            for (const auto& [array, path] : spec.files.arrays)
                given.push_back(array);
            throw InputError("npy data need a file for the array '{}' (given: {})", name, fmt::join(given, ", "));
        }
        used.push_back(named->second);
        return map_npy(named->second);
    };
    OpenedSplit split = open_arrays(spec, expectation, open);
    split.description = "npy data from " + names_of(used);
    return split;
}

void require_equal_counts(const OpenedSplit& split) {
    std::vector<const RowSource*> sources;
    for (const RowSource& input : split.inputs)
        sources.push_back(&input);
    if (split.target) sources.push_back(&*split.target);
    for (const RowSource* source : sources) {
        if (source->rows() == 0) throw InputError("{}: holds no samples", source->source());
        if (source->rows() != sources.front()->rows()) {
            throw InputError("{}: holds {} samples, but {} holds {}", source->source(), source->rows(),
                             sources.front()->source(), sources.front()->rows());
        }
    }
}

OpenedSplit open_format(const DataSpec& spec, const DataExpectation& expectation) {
    switch (spec.format) {
        case DataFormat::cifar10: return open_cifar(spec, expectation);
        case DataFormat::idx: return open_idx(spec, expectation);
        case DataFormat::npz: return open_npz(spec, expectation);
        case DataFormat::npy: return open_npy(spec, expectation);
        case DataFormat::synthetic: break;
    }
    throw InternalError("synthetic data have no files");
}

}  // namespace

OpenedSplit open_split(const DataSpec& spec, const DataExpectation& expectation) {
    if (expectation.inputs.empty()) throw InputError("the model has no inputs that data could feed");
    OpenedSplit split = open_format(spec, expectation);
    require_equal_counts(split);
    return split;
}

}  // namespace lossmap
