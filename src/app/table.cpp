#include "app/table.hpp"

#include <algorithm>

#include "text/printable.hpp"

namespace weir::app {

namespace {

/// As many columns as the cell takes, near enough: the bytes that begin a character.
std::size_t width_of(const std::string& cell) {
  return static_cast<std::size_t>(
      std::ranges::count_if(cell, [](char c) { return (static_cast<unsigned char>(c) & 0xc0) != 0x80; }));
}

bool is_number(const std::string& cell) {
  return cell.find_first_not_of("0123456789.,-$") == std::string::npos;
}

}  // namespace

std::string as_table(std::vector<std::vector<std::string>> rows) {
  std::vector<std::size_t> widths;
  std::vector<bool> numbers;
  for (std::size_t i = 0; i < rows.size(); ++i) {
    widths.resize(std::max(widths.size(), rows[i].size()), 0);
    numbers.resize(widths.size(), true);
    for (std::size_t column = 0; column < rows[i].size(); ++column) {
      std::string& cell = rows[i][column];
      cell = text::printable(cell);
      widths[column] = std::max(widths[column], width_of(cell));
      numbers[column] = numbers[column] && (i == 0 || is_number(cell));
    }
  }
  std::string out;
  for (const auto& row : rows) {
    std::string line;
    for (std::size_t column = 0; column < row.size(); ++column) {
      const std::string padding(widths[column] - width_of(row[column]), ' ');
      line += column == 0 ? "" : "  ";
      line += numbers[column] ? padding + row[column] : row[column] + padding;
    }
    line.erase(line.find_last_not_of(' ') + 1);
    out += line + "\n";
  }
  return out;
}

}  // namespace weir::app
