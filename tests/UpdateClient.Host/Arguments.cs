using Appliance.Core;

namespace Appliance.UpdateClient.Host;

/// <summary>The arguments: a verb, then <c>--name value</c> pairs.</summary>
internal sealed class Arguments
{
    private readonly Dictionary<string, string> _values = new(StringComparer.Ordinal);

    public Arguments(string[] arguments)
    {
        for (var i = 1; i < arguments.Length; i++)
        {
            if (!arguments[i].StartsWith("--", StringComparison.Ordinal)) throw new UserError($"{arguments[i]} is not an option.");
            var flag = i + 1 == arguments.Length || arguments[i + 1].StartsWith("--", StringComparison.Ordinal);
            _values[arguments[i][2..]] = flag ? "" : arguments[++i];
        }
    }

    public string this[string name] => Optional(name) ?? throw new UserError($"--{name} is missing.");

    public string? Optional(string name) => _values.GetValueOrDefault(name);

    public bool Has(string name) => _values.ContainsKey(name);
}
