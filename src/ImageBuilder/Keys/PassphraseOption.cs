using System.CommandLine;
using Appliance.Core;

namespace Appliance.ImageBuilder.Keys;

/// <summary>Where the passphrase of signing keys comes from: a file, the environment, or the terminal.</summary>
internal static class PassphraseOption
{
    private const string Variable = "APPLIANCE_KEYS_PASSPHRASE";
    private const int Shortest = 8;

    /// <summary>Makes the option.</summary>
    public static Option<string?> Create() => new("--passphrase-file")
    {
        Description = $"A file that holds the keys' passphrase; without it {Variable} is used, and else it is asked for.",
    };

    /// <summary>What gives the passphrase when a key is first used, and remembers it.</summary>
    /// <param name="file">The option's value.</param>
    /// <param name="isNew">True when keys are made: it is asked for twice, and must not be short.</param>
    public static Func<string> Reader(string? file, bool isNew = false)
    {
        string? known = null;
        return () => known ??= Check(Read(file, isNew), isNew);
    }

    private static string Read(string? file, bool isNew)
    {
        if (file is not null)
        {
            if (!File.Exists(file)) throw new UserError($"There is no file {file}.", "Name the file that holds the passphrase.");
            using var reader = new StreamReader(file);
            return reader.ReadLine() ?? "";
        }
        if (Environment.GetEnvironmentVariable(Variable) is { Length: > 0 } variable) return variable;
        if (Console.IsInputRedirected) throw new UserError("The keys' passphrase is not known.", $"Set {Variable}, give --passphrase-file, or run this in a terminal.");
        var passphrase = HiddenLine.Read("Passphrase of the keys: ");
        if (isNew && HiddenLine.Read("Once more: ") != passphrase) throw new UserError("The two passphrases differ.", "Run the command again.");
        return passphrase;
    }

    private static string Check(string passphrase, bool isNew)
    {
        if (passphrase.Length == 0) throw new UserError("The passphrase is empty.", "Keys are never stored without one.");
        if (isNew && passphrase.Length < Shortest) throw new UserError($"The passphrase is shorter than {Shortest} characters.", "Choose a longer one; several words are easy to remember.");
        return passphrase;
    }
}
