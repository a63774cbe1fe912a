// Writes the page that report_in_browser_test.py opens: a plane with gaps and two paths over it, a second plane, a
// line, a run of curves and tables alone, and a line that was refined. A hostile name stands in every place that takes
// one.
#include <iostream>
#include <limits>

#include "output/report.hpp"
#include "tests/output/test_surfaces.hpp"

namespace {

using namespace lossmap;

constexpr double kNaN = std::numeric_limits<double>::quiet_NaN();
const std::string kHostile =
    "<img src=x onerror=\"document.title='hit'\"></script><script>document.title='hit'</script>";

TrajectoryPath path_of(const std::string& label, double sign) {
    TrajectoryPath path;
    path.label = label;
    path.checkpoints = {kHostile, "b", "c"};
    path.x = {0.8 * sign, 0.25 * sign, 0.0};
    path.y = {-0.8, 0.3, 0.0};
    path.norm = {2.0, 1.0, 0.0};
    path.distance = {1.0, 0.5, 0.0};
    path.epochs = {0, 1, 5};
    path.lr_drops = {1};
    path.losses = {{"train", {9.0, 3.0, 1.0}, {7.5, 2.0, 1.0}}, {"test", {8.0, kNaN, -1.0}, {7.0, 2.5, -1.0}}};
    return path;
}

ReportRun plane_with_paths() {
    Surface plane = test::surface_of(test::steps(-1, 1, 7), test::steps(-1, 1, 5),
                                     [](double x, double y) { return 1 + x + 10 * y * y; });
    plane.splits[0].loss[3] = kNaN;
    plane.splits[0].loss[8] = std::numeric_limits<double>::infinity();
    test::forget(plane.splits[0], 20);
    ReportRun run{"plane", plane, "{\"seed\": 1}"};
    run.plane =
        TrajectoryPlane{{path_of("sgd", 1.0), path_of(kHostile, -1.0)}, {kHostile, "2nd PC: 9 %"}, {kHostile}, ""};
    return run;
}

ReportRun curves_and_tables() {
    ReportRun run{kHostile, {}, "{\"name\": \"</script>\"}"};
    const std::vector<double> x{0, 1, 2, 3};
    run.curves.push_back({"figure",
                          kHostile,
                          "epoch " + kHostile,
                          "norm " + kHostile,
                          kHostile,
                          {{kHostile, x, {0.5, 1.5, kNaN, 3.0}, {1.5, 2.5, kNaN, 5.0}}},
                          {{kHostile, x, {1.0, 2.0, kNaN, 4.0}}, {"second", x, {10.0, 20.0, 30.0, 40.0}, 1, 0, true}},
                          {kHostile}});
    run.tables.push_back({kHostile, {"model " + kHostile, "loss"}, {{kHostile, "0.25"}, {"a, \"b\"", "1e-05"}}});
    return run;
}

/// Every other point of the train split is interpolated, with an estimated error of 0.125.
Surface refined(Surface surface) {
    SplitSurface& train = surface.splits[0];
    train.interpolated_loss = train.loss;
    train.interpolated_accuracy = train.accuracy;
    train.error_estimate.assign(surface.point_count(), 0.0);
    for (std::size_t k = 1; k < surface.point_count(); k += 2) {
        test::forget(train, k);
        train.error_estimate[k] = 0.125;
    }
    return surface;
}

ReportRun refined_line() {
    return {"refined",
            refined(test::surface_of(test::steps(-1, 1, 9), {}, [](double x, double) { return x * x + 0.5; })), ""};
}

}  // namespace

int main(int argc, char** argv) {
    if (argc != 2) {
        std::cerr << "usage: write_test_report FILE.html\n";
        return 2;
    }
    try {
        // Every other point of it is interpolated, which changes no sum.
        const Surface other = refined(test::surface_of(test::steps(-1, 1, 4), test::steps(0, 1, 3),
                                                       [](double x, double y) { return 2 + x * y; }));
        Surface line = test::surface_of(test::steps(-1, 1, 9), {}, [](double x, double) { return x * x; });
        line.splits.push_back(line.splits[1]);
        line.splits.back().name = kHostile;
        write_report(argv[1], {plane_with_paths(),
                               {kHostile, other, "{\"name\": \"</script>\"}"},
                               {"line", line, ""},
                               curves_and_tables(),
                               refined_line()});
    } catch (const std::exception& error) {
        std::cerr << error.what() << '\n';
        return 1;
    }
    return 0;
}
