#include "tests/zoo/zoo_model.hpp"

#include <algorithm>
#include <cctype>
#include <cstdlib>
#include <ostream>
#include <stdexcept>
#include <string_view>

#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include "io/npz.hpp"
#include "tests/support/test_files.hpp"

namespace lossmap::test {
namespace {

constexpr std::string_view kDirectionPrefix = "dir/";

Shape without_first(const Shape& shape) { return {shape.begin() + 1, shape.end()}; }

/// Slice `index` along the first dimension.
Tensor slice(const Tensor& tensor, std::size_t index) {
    const Shape shape = without_first(tensor.shape());
    const auto size = static_cast<std::size_t>(element_count(shape));
    return Tensor::from<float>(tensor.as<float>().subspan(index * size, size), shape);
}

}  // namespace

std::string ZooModel::test_name() const {
    std::string name = std::filesystem::path(file).stem().string();
    for (char& character : name) {
        if (std::isalnum(static_cast<unsigned char>(character)) == 0) character = '_';
    }
    return name;
}

void PrintTo(const ZooModel& model, std::ostream* stream) { *stream << model.file; }

std::filesystem::path zoo_dir() {
    const char* folder = std::getenv("LOSSMAP_ZOO_DIR");
    return folder != nullptr ? std::filesystem::path(folder) : reference_dir() / "models/zoo";
}

std::vector<ZooModel> zoo_models() {
    std::vector<ZooModel> models;
    if (!std::filesystem::exists(zoo_dir() / "index.json")) return models;
    const nlohmann::json index = nlohmann::json::parse(read_file(zoo_dir() / "index.json"));
    for (const nlohmann::json& row : index.at("models")) {
        models.push_back({row.at("file"), row.at("reference"), row.at("direction"), !row.at("lost_parameters").empty(),
                          row.value("trained_elements", std::int64_t{-1})});
    }
    return models;
}

ZooReference read_zoo_reference(const ZooModel& model) {
    const NpzFile archive(zoo_dir() / model.reference);
    ZooReference reference;
    // The archive has "x", and "x1", "x2", .. where the network has several inputs.
    const std::vector<std::string> names = archive.names();
    for (std::string name = "x"; std::ranges::find(names, name) != names.end();
         name = fmt::format("x{}", reference.inputs.size())) {
        Tensor input = archive.load(name);
        reference.inputs.push_back({name, input.dtype(), without_first(input.shape())});
        reference.chunk.count = input.shape().at(0);
        reference.chunk.inputs.push_back(std::move(input));
    }
    Tensor target = archive.load("y");
    reference.target = {"target", target.dtype(), without_first(target.shape())};
    reference.chunk.target = std::move(target);
    // Integer targets are PyTorch's classes; the zoo's other loss is the mean squared error.
    const bool classes = reference.target.dtype == DType::i64;
    reference.loss.kind = classes ? LossKind::cross_entropy : LossKind::mse;
    if (classes) reference.loss.class_axis = static_cast<int>(archive.load("class_axis").as<std::int64_t>()[0]);

    reference.alphas = {0.0};
    reference.losses = {archive.load("loss").as<double>()[0]};
    reference.logits.push_back(archive.load("logits"));
    const Tensor alphas = archive.load("alphas");
    const Tensor losses = archive.load("loss_alpha");
    const Tensor logits = archive.load("logits_alpha");
    for (std::size_t k = 0; k < alphas.as<double>().size(); ++k) {
        reference.alphas.push_back(alphas.as<double>()[k]);
        reference.losses.push_back(losses.as<double>()[k]);
        reference.logits.push_back(slice(logits, k));
    }
    return reference;
}

std::map<std::string, Tensor> read_zoo_direction(const ZooModel& model) {
    const NpzFile archive(zoo_dir() / model.direction);
    std::map<std::string, Tensor> direction;
    for (const std::string& name : archive.names()) {
        if (name.starts_with(kDirectionPrefix)) {
            direction.emplace(name.substr(kDirectionPrefix.size()), archive.load(name));
        }
    }
    if (direction.empty()) throw std::runtime_error(model.direction + " holds no direction");
    return direction;
}

}  // namespace lossmap::test
