#include <iostream>

#include "cli/application.hpp"

int main(int argc, char** argv) { return lossmap::run_application(argc, argv, std::cout); }
