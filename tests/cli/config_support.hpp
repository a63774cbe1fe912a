#pragma once

#include <filesystem>
#include <string>
#include <vector>

#include <nlohmann/json.hpp>

#include "cli/config/load_config.hpp"
#include "core/error.hpp"
#include "tests/support/test_files.hpp"

namespace lossmap::test {

using Json = nlohmann::ordered_json;

/// A plane over CIFAR-10 files that need not exist.
inline Json plane() {
    return Json::parse(R"({
      "name": "plane", "experiment": "surface", "model": "net.onnx",
      "data": {"format": "cifar10", "train": ["a.bin", "b.bin"], "test": "c.bin",
               "normalize": {"mean": [0.1, 0.2, 0.3], "std": [1, 2, 3]},
               "subset": {"train": {"start": 5, "count": 10}}},
      "splits": ["train"], "loss": "cross_entropy",
      "directions": {"kind": "random", "seed": 3, "normalization": "layer", "ignore": ["bias", "batch_norm"]},
      "x": {"min": -1, "max": 1, "points": 51}, "y": {"min": -0.5, "max": 1, "points": 7}})");
}

/// As load_config() reads it from a file of its own.
inline Config load(const Json& json, const std::vector<std::string>& overrides = {}) {
    const TemporaryDirectory folder;
    write_file(folder / "c.json", json.dump());
    return load_config(folder / "c.json", overrides);
}

/// The message without the file's name in front; "" when the configuration loads.
inline std::string message_of(const std::string& text, const std::vector<std::string>& overrides = {}) {
    const TemporaryDirectory folder;
    const std::filesystem::path file = folder / "c.json";
    write_file(file, text);
    try {
        static_cast<void>(load_config(file, overrides));
    } catch (const InputError& error) {
        const std::string message = error.what();
        const std::string prefix = file.string() + ": ";
        return message.starts_with(prefix) ? message.substr(prefix.size()) : message;
    }
    return "";
}

/// The same for the plane with one value put in.
inline std::string message_with(const std::string& override_text) {
    return message_of(plane().dump(), {override_text});
}

}  // namespace lossmap::test
