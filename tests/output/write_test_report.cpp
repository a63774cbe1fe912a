// Writes the page that report_in_browser_test.py opens: a plane with gaps, a second plane with a hostile title, a line.
#include <iostream>
#include <limits>

#include "output/report.hpp"
#include "tests/output/test_surfaces.hpp"

int main(int argc, char** argv) {
    using namespace lossmap;
    if (argc != 2) {
        std::cerr << "usage: write_test_report FILE.html\n";
        return 2;
    }
    try {
        Surface plane = test::surface_of(test::steps(-1, 1, 7), test::steps(-1, 1, 5),
                                         [](double x, double y) { return 1 + x + 10 * y * y; });
        plane.splits[0].loss[3] = std::numeric_limits<double>::quiet_NaN();
        plane.splits[0].loss[8] = std::numeric_limits<double>::infinity();
        test::forget(plane.splits[0], 20);
        const Surface other =
            test::surface_of(test::steps(-1, 1, 4), test::steps(0, 1, 3), [](double x, double y) { return 2 + x * y; });
        const Surface line = test::surface_of(test::steps(-1, 1, 9), {}, [](double x, double) { return x * x; });
        const std::string hostile =
            "<img src=x onerror=\"document.title='hit'\"></script><script>document.title='hit'</script>";
        write_report(
            argv[1],
            {{"plane", plane, "{\"seed\": 1}"}, {hostile, other, "{\"name\": \"</script>\"}"}, {"line", line, ""}});
    } catch (const std::exception& error) {
        std::cerr << error.what() << '\n';
        return 1;
    }
    return 0;
}
