/* json_schema.c - see json_schema.h. */
#include "tests/support/json_schema.h"

#include <regex.h>
#include <stdio.h>
#include <string.h>

struct check {
	json_t *root;
	bool strict;
	char path[200];
	char *fault;
};

static bool is_valid(struct check *check, json_t *schema, json_t *value);

static bool refuse(struct check *check, const char *keyword, json_t *value)
{
	char *text = json_dumps(value, JSON_ENCODE_ANY | JSON_COMPACT);

	snprintf(check->fault, SCHEMA_FAULT_BYTES, "%s: %s does not allow %.120s", check->path[0] ? check->path : "(top)", keyword,
	        text ? text : "?");
	free(text);
	return false;
}

static bool is_of_type(const char *type, json_t *value)
{
	return (strcmp(type, "object") == 0 && json_is_object(value)) || (strcmp(type, "array") == 0 && json_is_array(value)) ||
	       (strcmp(type, "string") == 0 && json_is_string(value)) || (strcmp(type, "integer") == 0 && json_is_integer(value)) ||
	       (strcmp(type, "number") == 0 && json_is_number(value)) || (strcmp(type, "boolean") == 0 && json_is_boolean(value)) ||
	       (strcmp(type, "null") == 0 && json_is_null(value));
}

static bool type_allows(json_t *types, json_t *value)
{
	if (json_is_string(types))
		return is_of_type(json_string_value(types), value);
	for (size_t i = 0; i < json_array_size(types); i++)
		if (is_of_type(json_string_value(json_array_get(types, i)), value))
			return true;
	return false;
}

static bool enum_allows(json_t *words, json_t *value)
{
	for (size_t i = 0; i < json_array_size(words); i++)
		if (json_equal(json_array_get(words, i), value))
			return true;
	return false;
}

static bool pattern_allows(const char *pattern, json_t *value)
{
	regex_t regex;

	if (!json_is_string(value))
		return true;
	if (regcomp(&regex, pattern, REG_EXTENDED | REG_NOSUB) != 0)
		return false;
	bool allowed = regexec(&regex, json_string_value(value), 0, NULL, 0) == 0;
	regfree(&regex);
	return allowed;
}

/* Checks a part of the value under a longer path. */
static bool part_is_valid(struct check *check, json_t *schema, json_t *part, const char *name, size_t index)
{
	size_t length = strlen(check->path), room = sizeof(check->path) - length;

	if (name)
		snprintf(check->path + length, room, "/%s", name);
	else
		snprintf(check->path + length, room, "/%zu", index);
	bool valid = is_valid(check, schema, part);
	check->path[length] = '\0';
	return valid;
}

static bool properties_allow(struct check *check, json_t *properties, json_t *value)
{
	const char *key;
	json_t *member;

	json_object_foreach(value, key, member)
	{
		json_t *schema = json_object_get(properties, key);
		if (!schema && check->strict)
			return refuse(check, "properties (strict)", json_object_get(value, key));
		if (schema && !part_is_valid(check, schema, member, key, 0))
			return false;
	}
	return true;
}

static bool required_allows(struct check *check, json_t *names, json_t *value)
{
	for (size_t i = 0; json_is_object(value) && i < json_array_size(names); i++)
		if (!json_object_get(value, json_string_value(json_array_get(names, i))))
			return refuse(check, "required", json_array_get(names, i));
	return true;
}

static bool items_allow(struct check *check, json_t *schema, json_t *value)
{
	for (size_t i = 0; i < json_array_size(value); i++)
		if (!part_is_valid(check, schema, json_array_get(value, i), NULL, i))
			return false;
	return true;
}

static bool any_allows(struct check *check, json_t *schemas, json_t *value)
{
	for (size_t i = 0; i < json_array_size(schemas); i++)
		if (is_valid(check, json_array_get(schemas, i), value))
			return true;
	return refuse(check, "anyOf", value);
}

static json_t *referred(struct check *check, const char *reference)
{
	static const char prefix[] = "#/$defs/";

	if (strncmp(reference, prefix, sizeof(prefix) - 1) != 0)
		return NULL;
	return json_object_get(json_object_get(check->root, "$defs"), reference + sizeof(prefix) - 1);
}

static bool keyword_allows(struct check *check, const char *keyword, json_t *argument, json_t *value)
{
	static const char *const remarks[] = {"$schema", "$id", "$defs", "title", "description"};

	for (size_t i = 0; i < sizeof(remarks) / sizeof(remarks[0]); i++)
		if (strcmp(keyword, remarks[i]) == 0)
			return true;
	if (strcmp(keyword, "properties") == 0)
		return !json_is_object(value) || properties_allow(check, argument, value);
	if (strcmp(keyword, "required") == 0)
		return required_allows(check, argument, value);
	if (strcmp(keyword, "items") == 0)
		return !json_is_array(value) || items_allow(check, argument, value);
	if (strcmp(keyword, "anyOf") == 0)
		return any_allows(check, argument, value);
	if (strcmp(keyword, "$ref") == 0) {
		json_t *schema = referred(check, json_string_value(argument));
		return schema ? is_valid(check, schema, value) : refuse(check, "$ref to nothing", argument);
	}
	bool allowed = false;
	if (strcmp(keyword, "type") == 0)
		allowed = type_allows(argument, value);
	else if (strcmp(keyword, "enum") == 0)
		allowed = enum_allows(argument, value);
	else if (strcmp(keyword, "const") == 0)
		allowed = json_equal(argument, value);
	else if (strcmp(keyword, "pattern") == 0)
		allowed = pattern_allows(json_string_value(argument), value);
	else if (strcmp(keyword, "minimum") == 0)
		allowed = !json_is_number(value) || json_number_value(value) >= json_number_value(argument);
	else if (strcmp(keyword, "maximum") == 0)
		allowed = !json_is_number(value) || json_number_value(value) <= json_number_value(argument);
	else if (strcmp(keyword, "maxItems") == 0)
		allowed = json_array_size(value) <= (size_t)json_integer_value(argument);
	else if (strcmp(keyword, "maxLength") == 0)
		allowed = !json_is_string(value) || strlen(json_string_value(value)) <= (size_t)json_integer_value(argument);
	return allowed || refuse(check, keyword, value);
}

static bool is_valid(struct check *check, json_t *schema, json_t *value)
{
	const char *keyword;
	json_t *argument;

	json_object_foreach(schema, keyword, argument)
	{
		if (!keyword_allows(check, keyword, argument, value))
			return false;
	}
	return json_is_object(schema) || refuse(check, "a schema that is none", value);
}

bool schema_allows(json_t *schema, json_t *document, bool strict, char fault[SCHEMA_FAULT_BYTES])
{
	struct check check = {.root = schema, .strict = strict, .fault = fault};

	fault[0] = '\0';
	return is_valid(&check, schema, document);
}
