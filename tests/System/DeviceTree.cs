using System.Buffers.Binary;
using System.Text;

namespace Appliance.SystemTests;

/// <summary>A flattened device tree (Devicetree Specification 0.4, chapter 5), and which devices one device needs (chapter 2, and Linux' bindings).</summary>
internal sealed class DeviceTree
{
    private const uint Magic = 0xd00dfeed;

    /// <summary>Properties that name other nodes, and the provider's property that says how many cells follow each name.</summary>
    private static readonly (Func<string, bool> Names, string? Cells)[] References =
    [
        (name => name.EndsWith("-supply", StringComparison.Ordinal) || name is "interrupt-parent" or "msi-parent", null),
        (name => name.StartsWith("pinctrl-", StringComparison.Ordinal) && name is not "pinctrl-names", null),
        (name => name is "gpios" || name.EndsWith("-gpios", StringComparison.Ordinal), "#gpio-cells"),
        (name => name is "clocks", "#clock-cells"),
        (name => name is "resets", "#reset-cells"),
        (name => name is "phys", "#phy-cells"),
        (name => name is "mboxes", "#mbox-cells"),
        (name => name is "power-domains", "#power-domain-cells"),
        (name => name is "interrupts-extended", "#interrupt-cells"),
    ];

    private readonly List<Node> _nodes = [];

    /// <summary>Reads it.</summary>
    public DeviceTree(byte[] blob)
    {
        Assert.Equal(Magic, Word(blob, 0));
        var (at, strings) = ((int)Word(blob, 8), (int)Word(blob, 12));
        for (Node? current = null; ;)
        {
            var token = Word(blob, at);
            at += 4;
            switch (token)
            {
                case 1: // FDT_BEGIN_NODE
                    var name = Text(blob, at);
                    at = Aligned(at + name.Length + 1);
                    _nodes.Add(current = new(current, name));
                    break;
                case 2: // FDT_END_NODE
                    current = current!.Parent;
                    break;
                case 3: // FDT_PROP
                    var length = (int)Word(blob, at);
                    current!.Properties[Text(blob, strings + (int)Word(blob, at + 4))] = blob[(at + 8)..(at + 8 + length)];
                    at = Aligned(at + 8 + length);
                    break;
                case 4: // FDT_NOP
                    break;
                default:
                    Assert.Equal(9u, token); // FDT_END
                    return;
            }
        }
    }

    /// <summary>The devices that call themselves by a name and are not switched off.</summary>
    public IReadOnlyList<Node> Find(string compatible) =>
        _nodes.Where(node => node.Compatible.Contains(compatible) && node.Strings("status") is [] or ["okay"] or ["ok"]).ToList();

    /// <summary>A device, and all it needs before it works: what it hangs on, and what it names, and so on.</summary>
    public IReadOnlyList<Node> Closure(Node device)
    {
        var known = new HashSet<Node>();
        var open = new Stack<Node>([device]);
        while (open.TryPop(out var node))
        {
            if (!known.Add(node)) continue;
            if (node.Parent is { } parent) open.Push(parent);
            foreach (var provider in Providers(node)) open.Push(provider);
        }
        return known.Where(node => node.Compatible.Count > 0 && node.Parent is not null).ToList();
    }

    private IEnumerable<Node> Providers(Node node)
    {
        foreach (var (name, value) in node.Properties)
        {
            if (References.FirstOrDefault(reference => reference.Names(name)) is not { Names: not null } reference) continue;
            for (var at = 0; at < value.Length; at += 4)
            {
                var handle = value[at..(at + 4)];
                var provider = Assert.Single(_nodes, candidate => candidate.Properties.GetValueOrDefault("phandle") is { } own && own.AsSpan().SequenceEqual(handle));
                yield return provider;
                if (reference.Cells is { } cells) at += 4 * (int)Word(provider.Properties[cells], 0);
            }
        }
    }

    private static int Aligned(int offset) => (offset + 3) & ~3;

    private static uint Word(byte[] bytes, int at) => BinaryPrimitives.ReadUInt32BigEndian(bytes.AsSpan(at));

    private static string Text(byte[] bytes, int at) => Encoding.ASCII.GetString(bytes, at, Array.IndexOf(bytes, (byte)0, at) - at);

    /// <summary>A device, or a part of one.</summary>
    internal sealed record Node(Node? Parent, string Name)
    {
        public Dictionary<string, byte[]> Properties { get; } = [];

        /// <summary>What a driver knows it by, the most exact first.</summary>
        public IReadOnlyList<string> Compatible => Strings("compatible");

        public string[] Strings(string property) =>
            Properties.TryGetValue(property, out var value) ? Encoding.ASCII.GetString(value).TrimEnd('\0').Split('\0') : [];

        public bool Equals(Node? other) => ReferenceEquals(this, other);

        public override int GetHashCode() => System.Runtime.CompilerServices.RuntimeHelpers.GetHashCode(this);
    }
}
