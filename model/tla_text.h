// tla_text.h: values as TLC prints them, without any whitespace.
//
// TLC breaks long values over lines, so both sides of a comparison drop whitespace; no string of
// the spec contains any.
//
// Thread safety: none of these functions keeps state.

#pragma once

#include <cstddef>
#include <string>
#include <string_view>

namespace bellwether::model {

inline std::string TlaBool(bool value) { return value ? "TRUE" : "FALSE"; }

inline std::string TlaString(std::string_view value) { return '"' + std::string(value) + '"'; }

// "t1", "t2", ...: the model value of a thread.
inline std::string TlaThread(size_t thread) {
  return std::string("t") + std::to_string(thread + 1);
}

// <<a,b>> of `size` items; item(i) is the text of one.
template <class Item>
std::string TlaSequence(size_t size, Item&& item) {
  std::string text = "<<";
  for (size_t i = 0; i < size; i++) {
    if (i > 0) text += ',';
    text += item(i);
  }
  return text + ">>";
}

// {a,b} of those elements of `range` for which element(x) is not empty. TLC prints a set in the
// order of its values, so `range` has to have it.
template <class Range, class Element>
std::string TlaSet(const Range& range, Element&& element) {
  std::string text = "{";
  for (const auto& x : range) {
    const std::string next = element(x);
    if (next.empty()) continue;
    if (text.size() > 1) text += ',';
    text += next;
  }
  return text + "}";
}

// (t1:>a@@t2:>b): a function of `domain`; name(x) and value(x) are the texts of one argument and
// its value.
template <class Domain, class Name, class Value>
std::string TlaFunction(const Domain& domain, Name&& name, Value&& value) {
  std::string text = "(";
  for (const auto x : domain) {
    if (text.size() > 1) text += "@@";
    text += name(x) + ":>" + value(x);
  }
  return text + ")";
}

}  // namespace bellwether::model
