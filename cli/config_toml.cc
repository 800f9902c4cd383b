/*
 * config_toml.cc - TOML text into a configuration, by toml++. All other files are C.
 *
 * What the parser says about a fault quotes the file. A file given by mistake may be private (--config /etc/shadow), so only the place
 * and the kind of the fault leave this file, in words of our own.
 */
#define TOML_EXCEPTIONS 0
#define TOML_HEADER_ONLY 1
#define TOML_ENABLE_FORMATTERS 0
/* Its assertions speak of its input too ("[=" breaks one), and with NDEBUG they become promises to the compiler. The checks behind them do. */
#undef NDEBUG
#define TOML_ASSERT(expression) static_assert(true)
#include <toml++/toml.h>

#include "base/text.h"
#include "cli/config_toml.h"

#include <algorithm>
#include <cstdio>
#include <new>
#include <string>
#include <string_view>

namespace
{

constexpr std::string_view byte_order_mark = "\xef\xbb\xbf";

constexpr const char *not_a_value = "a value must be a number, true, false, or text between quotes";

/* The parser says "Error while parsing SCOPE: ...": what we say for a scope. */
struct scope {
	std::string_view name;
	const char *rule;
};

constexpr scope scopes[] = {
        {"key-value pair", "a line must be a [section], key = value, or a # comment"},
        {"key", "a line must be a [section], key = value, or a # comment"},
        {"root table", "a line must be a [section], key = value, or a # comment"},
        {"table header", "a section must be written [name]"},
        {"string", "a text must hold neither control characters nor unknown \\ escapes"},
        {"literal string", "a text must hold no control characters"},
        {"unicode scalar sequence", "a \\u escape must be followed by the hexadecimal number of a character"},
        {"boolean", "a truth value must be true or false"},
        {"value", not_a_value},
        {"comment", "a comment must hold no control characters"},
};

const char *rule_of(std::string_view description)
{
	constexpr std::string_view prefix = "Error while parsing ";

	/* The parser names what is there twice ahead of its name: only words of its own stand before the quote. */
	std::string_view own_words = description.substr(0, description.find('\''));
	if (own_words.find("cannot redefine") != std::string_view::npos)
		return "a section or key must not be given twice";
	if (own_words.compare(0, prefix.size(), prefix) != 0)
		return "the file must be UTF-8 text";
	own_words.remove_prefix(prefix.size());
	own_words = own_words.substr(0, own_words.find(':'));
	for (const scope &known : scopes)
		if (own_words == known.name)
			return known.rule;
	return "a number must be written in decimal digits, as 5 or 0.5, and fit in 64 bits";
}

/* Keeps the fault that comes first in the file: the parser's tables are sorted by name. */
class faults
{
      public:
	explicit faults(config_fault *out) : first(out)
	{
	}

	void add(const toml::source_position &at, const char *rule)
	{
		if (found && (at.line > first->line || (at.line == first->line && at.column >= first->column)))
			return;
		found = true;
		first->line = at.line;
		first->column = at.column;
		std::snprintf(first->rule, sizeof(first->rule), "%s", rule);
	}

	bool any() const
	{
		return found;
	}

      private:
	config_fault *first;
	bool found = false;
};

config_value value_of(const toml::node &node)
{
	config_value value{};

	value.type = CONFIG_CHOICE; /* what no key takes */
	if (const auto *boolean = node.as_boolean()) {
		value.type = CONFIG_BOOL;
		value.boolean = boolean->get();
	} else if (const auto *integer = node.as_integer()) {
		value.type = CONFIG_INT;
		value.integer = integer->get();
	} else if (const auto *real = node.as_floating_point()) {
		value.type = CONFIG_REAL;
		value.real = real->get();
	} else if (const auto *text = node.as_string(); text && text->get().find('\0') == std::string::npos) {
		value.type = CONFIG_TEXT;
		value.text = text->get().c_str();
	}
	return value;
}

void read_section(const toml::key &section, const toml::table &keys, config &to, faults &found)
{
	char error[256];

	if (!config_has_section(section.data(), error)) {
		found.add(section.source().begin, error);
		return;
	}
	for (auto &&[key, node] : keys) {
		config_value value = value_of(node);
		if (config_set(&to, section.data(), key.data(), &value, error))
			continue;
		/* A key that exists has a bad value: the value's place. One that does not: its own. */
		found.add(config_row_of(section.data(), key.data()) ? node.source().begin : key.source().begin, error);
	}
}

/* Place of a key "section.key" that a rule between keys names: where it is given, else where its section begins. */
toml::source_position place_of(const toml::table &root, std::string_view name)
{
	std::size_t dot = name.find('.');
	const toml::table *section = root[name.substr(0, dot)].as_table();

	if (!section)
		return {};
	if (const toml::node *node = section->get(name.substr(dot + 1)))
		return node->source().begin;
	return section->source().begin;
}

/* Bytes of the character at the begin, 0 where it may not stand in a text as it is. */
std::size_t plain_character(std::string_view rest)
{
	std::uint32_t code_point;
	std::size_t bytes = text_decode(rest.data(), rest.size(), &code_point);

	return bytes > 0 && !text_is_unsafe(code_point) ? bytes : 0;
}

/*
 * What a line must be before the parser sees it. Fuzzing toml++ 3.3 showed what it cannot take: it frees its tables by recursion, so that a
 * key of 400,000 dots overflows the stack (a key is on one line: short lines bound the depth), and it runs into code marked unreachable at
 * characters outside of ASCII wherever it looks for the end of something: white space, a wrong value, a text over several lines. So they may
 * stand only in the text of KEY = "TEXT", where it looks for nothing but the quote; and nothing, so no list either, goes over several lines.
 */
const char *fault_of_line(std::string_view line, std::size_t &i)
{
	constexpr std::size_t line_max = 4096;
	char quote = 0, before = 0; /* of the text that we are in; the last character outside of texts that is no blank */
	unsigned equals = 0;        /* outside of texts */

	if (line.size() > line_max)
		return "a line must be at most 4096 bytes";
	for (i = 0; i < line.size(); i++) {
		char c = line[i];
		if ((c < ' ' || c > '~') && c != '\t') {
			bool is_value = quote && before == '=' && equals == 1;
			std::size_t bytes = is_value ? plain_character(line.substr(i)) : 0;
			if (bytes == 0)
				return is_value ? "a text must be UTF-8; control and invisible characters are written \\u00ad between \""
				                : "all characters must be printable ASCII, but in comments and in the text of key = "
				                  "\"text\"";
			i += bytes - 1;
		} else if (quote == '"' && c == '\\') {
			i++;
		} else if (quote) {
			before = c == quote ? c : before;
			quote = c == quote ? 0 : quote;
		} else if (c == '#') {
			return nullptr;
		} else if (c == '[' && before == '=') {
			return not_a_value;
		} else if ((c == '"' || c == '\'') && line.substr(i, 3) == std::string(3, c)) {
			return "a text must stand between single quotes and end on its line";
		} else if (c == '"' || c == '\'') {
			quote = c;
		} else if (c != ' ' && c != '\t') {
			before = c;
			equals += c == '=';
		}
	}
	return quote ? "a text must stand between quotes and end on its line" : nullptr;
}

/* Columns are counted in characters, as the parser does. */
toml::source_index column_of(std::string_view line, std::size_t at)
{
	auto begins = [](char c) { return (static_cast<unsigned char>(c) & 0xc0) != 0x80; };

	return static_cast<toml::source_index>(1 + std::count_if(line.begin(), line.begin() + static_cast<std::ptrdiff_t>(at), begins));
}

bool has_sound_lines(std::string_view text, faults &found)
{
	toml::source_index number = 1;

	for (std::size_t begin = 0, end; begin < text.size(); begin = end + 1, number++) {
		end = std::min(text.find('\n', begin), text.size());
		std::string_view line = text.substr(begin, end - begin);
		if (!line.empty() && line.back() == '\r' && end < text.size())
			line.remove_suffix(1);
		std::size_t at = 0;
		if (const char *rule = fault_of_line(line, at)) {
			found.add({number, column_of(line, std::min(at, line.size()))}, rule);
			return false;
		}
	}
	return true;
}

bool read(std::string_view text, config &to, config_fault &fault)
{
	faults found(&fault);

	if (text.substr(0, byte_order_mark.size()) == byte_order_mark)
		text.remove_prefix(byte_order_mark.size());
	if (!has_sound_lines(text, found))
		return false;
	toml::parse_result result = toml::parse(text);

	if (!result) {
		found.add(result.error().source().begin, rule_of(result.error().description()));
		return false;
	}
	const toml::table &root = result.table();
	for (auto &&[key, node] : root) {
		if (const toml::table *section = node.as_table())
			read_section(key, *section, to, found);
		else
			found.add(key.source().begin, "a key must stand below its [section]");
	}
	const char *broken;
	char error[256];
	if (!found.any() && !config_check(&to, &broken, error))
		found.add(place_of(root, broken), error);
	return !found.any();
}

} // namespace

extern "C" bool config_toml_read(const char *text, size_t length, struct config *config, struct config_fault *ret_fault)
try {
	*ret_fault = {};
	return read({text, length}, *config, *ret_fault);
} catch (const std::bad_alloc &) {
	std::snprintf(ret_fault->rule, sizeof(ret_fault->rule), "there must be memory enough to read the file");
	return false;
}
