#include "tests/backends/backend_case.hpp"

#include <ostream>
#include <utility>

#include "backend/layer_check.hpp"

namespace lossmap::test {
namespace {

class PrecisionBackend final : public Backend {
public:
    PrecisionBackend(std::shared_ptr<Backend> backend, Precision precision)
        : backend_(std::move(backend)), precision_(precision) {}

    [[nodiscard]] std::string name() const override { return backend_->name(); }
    [[nodiscard]] std::vector<DeviceInfo> devices() const override { return backend_->devices(); }
    [[nodiscard]] std::vector<std::string> library_versions() const override { return backend_->library_versions(); }
    [[nodiscard]] std::string why_not(const ExecutableRequest& request) const override {
        return backend_->why_not(changed(request));
    }
    [[nodiscard]] std::unique_ptr<Executable> compile(const ExecutableRequest& request) override {
        return backend_->compile(changed(request));
    }
    [[nodiscard]] bool prefers_bytes() const override { return backend_->prefers_bytes(); }
    [[nodiscard]] std::unique_ptr<DirectionMaker> direction_maker(const ParameterSpace& space,
                                                                  std::span<const float> origin) const override {
        return backend_->direction_maker(space, origin);
    }
    [[nodiscard]] std::unique_ptr<LinearAlgebra> linear_algebra(int threads) const override {
        return backend_->linear_algebra(threads);
    }

private:
    [[nodiscard]] ExecutableRequest changed(ExecutableRequest request) const {
        request.precision = precision_;
        return request;
    }

    std::shared_ptr<Backend> backend_;
    Precision precision_;
};

}  // namespace

double BackendCase::tolerance(double plain) const {
    return precision == Precision::fp32 ? plain : 10.0 * unit_roundoff(precision);
}

std::shared_ptr<Backend> in_precision(std::shared_ptr<Backend> backend, Precision precision) {
    return std::make_shared<PrecisionBackend>(std::move(backend), precision);
}

void PrintTo(const BackendCase& backend, std::ostream* stream) { *stream << backend.name; }

}  // namespace lossmap::test
