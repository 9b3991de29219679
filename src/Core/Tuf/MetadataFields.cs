using System.Globalization;
using System.Text.Json;

namespace Appliance.Core.Tuf;

/// <summary>The members of one JSON object of a metadata file, read by name and kind; the errors say which file and member.</summary>
internal readonly struct MetadataFields
{
    private const string TimeFormat = "yyyy-MM-dd'T'HH:mm:ss'Z'";

    private readonly JsonElement _object;
    private readonly string _where;
    private readonly string _path;

    public MetadataFields(JsonElement value, string where, string path = "")
    {
        (_object, _where, _path) = (value, where, path);
        if (value.ValueKind != JsonValueKind.Object) throw Error($"{(path.Length == 0 ? "its content" : path)} is not an object");
    }

    public JsonElement Json => _object;

    public bool Has(string name) => _object.TryGetProperty(name, out _);

    public string Text(string name) => Required(name, JsonValueKind.String).GetString()!;

    public bool Flag(string name, bool missing)
    {
        if (!_object.TryGetProperty(name, out var value)) return missing;
        return value.ValueKind is JsonValueKind.True or JsonValueKind.False ? value.GetBoolean() : throw Error($"{Path(name)} is not true or false");
    }

    public long Integer(string name, long smallest)
    {
        var value = Required(name, JsonValueKind.Number).GetInt64();
        return value >= smallest ? value : throw Error($"{Path(name)} is {value}, less than {smallest}");
    }

    public DateTimeOffset Time(string name)
    {
        var text = Text(name);
        return DateTimeOffset.TryParseExact(text, TimeFormat, CultureInfo.InvariantCulture, DateTimeStyles.AssumeUniversal | DateTimeStyles.AdjustToUniversal, out var time)
            ? time
            : throw Error($"{Path(name)} is not a time like 2030-01-31T00:00:00Z");
    }

    public static string FormatTime(DateTimeOffset time) => time.ToUniversalTime().ToString(TimeFormat, CultureInfo.InvariantCulture);

    public MetadataFields Object(string name) => new(Required(name, JsonValueKind.Object), _where, Path(name));

    /// <summary>The members of the object <paramref name="name"/>, each an object.</summary>
    public IEnumerable<(string Name, MetadataFields Fields)> Objects(string name)
    {
        foreach (var member in Required(name, JsonValueKind.Object).EnumerateObject())
            yield return (member.Name, new MetadataFields(member.Value, _where, $"{Path(name)}.{Shorten(member.Name)}"));
    }

    /// <summary>The items of the array <paramref name="name"/>, each an object.</summary>
    public IEnumerable<MetadataFields> ObjectItems(string name)
    {
        var index = 0;
        foreach (var item in Required(name, JsonValueKind.Array).EnumerateArray())
            yield return new MetadataFields(item, _where, $"{Path(name)}[{index++}]");
    }

    public List<string> Texts(string name)
    {
        var texts = new List<string>();
        foreach (var item in Required(name, JsonValueKind.Array).EnumerateArray())
            texts.Add(item.ValueKind == JsonValueKind.String ? item.GetString()! : throw Error($"{Path(name)}[{texts.Count}] is not a string"));
        return texts;
    }

    public UserError Error(string what) => MetadataError.Damaged(_where, what);

    public UserError MemberError(string name, string what) => Error($"{Path(name)} {what}");

    private JsonElement Required(string name, JsonValueKind kind)
    {
        if (!_object.TryGetProperty(name, out var value)) throw Error($"{Path(name)} is missing");
        return value.ValueKind == kind ? value : throw Error($"{Path(name)} is not {(kind is JsonValueKind.Object or JsonValueKind.Array ? "an" : "a")} {kind.ToString().ToLowerInvariant()}");
    }

    private string Path(string name) => _path.Length == 0 ? name : $"{_path}.{name}";

    private static string Shorten(string name) => name.Length <= 80 ? name : name[..80] + "…";
}
