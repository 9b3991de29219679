using System.Diagnostics;
using System.Text;
using Appliance.Supervisor.State;
using Appliance.Supervisor.Updates;

namespace Supervisor.Tests;

/// <summary>
/// The data partition of a device between two versions, with real files: databases left open, links of both kinds, other owners,
/// extended attributes, holes. Made once a process and copied for each test.
/// </summary>
internal sealed class StateDevice : IDisposable
{
    public const string Old = "1.0", New = "1.1";
    private static readonly Lazy<StatePrinter> Printer = new(() => new StatePrinter());
    private static readonly Lazy<string> Template = new(MakeTemplate);
    private static readonly Lazy<string> OldPrint = new(() => Print(Template.Value + "/old"));
    private static readonly Lazy<string> NewPrint = new(() => Print(Template.Value + "/new"));
    private readonly string _folder = NewFolder();

    public StateDevice()
    {
        Run("cp", "-a", Template.Value + "/old/.", Root);
        Write("proc/sys/kernel/random/boot_id", "");
        Boots(Old);
    }

    public string Root => Path.Combine(_folder, "root");
    public StateLayout Layout => new(Root);
    public StateSnapshots Snapshots(StateDisk? disk = null) => new(Layout, disk ?? new StateDisk(), TimeProvider.System);

    /// <summary>What the old version left, and what the new one makes of it.</summary>
    public static string OldState => OldPrint.Value;
    public static string NewState => NewPrint.Value;

    /// <summary>The state now, in full: kinds, modes, owners, times, attributes, links, content.</summary>
    public string State => Print(Root);

    public static TrialRecord Trial => new() { Version = New, From = Old, Slot = "b", InstalledBy = "the boot that installed it" };

    public void Boots(string version)
    {
        Write("usr/lib/os-release", $"IMAGE_ID=\"edge\"\nIMAGE_VERSION=\"{version}\"\n");
        // The new version knows a path more, and one less.
        Write("usr/lib/appliance/state", version == Old ? "/etc/shop\n/var/lib/old\n/var/lib/shop\n/var/lib/single.db\n" : "/etc/shop\n/etc/shop.conf\n/var/lib/new\n/var/lib/shop\n/var/lib/single.db\n");
        Write("proc/sys/kernel/random/boot_id", Guid.NewGuid().ToString() + "\n");
    }

    public void Install()
    {
        Directory.CreateDirectory(Path.GetDirectoryName(Layout.Trial)!);
        Trial.Write(Layout.Trial);
    }

    /// <summary>The new version runs and changes its state; it begins with what is there, which must be the old one's.</summary>
    public void NewVersionRuns() => Run("/bin/sh", "-euc", $"cd {Root}/var/lib; rm -rf shop old new single.db* appliance/etc; cp -a {Template.Value}/new/var/lib/. .");

    public void Write(string path, string text)
    {
        var full = Path.Combine(Root, path);
        Directory.CreateDirectory(Path.GetDirectoryName(full)!);
        File.WriteAllText(full, text);
    }

    public string Read(string path) => File.ReadAllText(Path.Combine(Root, path));

    /// <summary>What there is in the snapshots' folder beside the list that is left to the next version.</summary>
    public IEnumerable<string> Leftovers => Directory.Exists(Layout.Snapshots)
        ? Directory.EnumerateFileSystemEntries(Layout.Snapshots).Select(entry => Path.GetFileName(entry)!).Where(name => name is not ("paths" or "restored.json")) : [];

    public void Dispose()
    {
        Run("rm", "-rf", _folder);
    }

    public static string Run(string program, params string[] arguments)
    {
        using var process = Process.Start(new ProcessStartInfo(program, arguments) { RedirectStandardOutput = true, RedirectStandardError = true })!;
        var errors = process.StandardError.ReadToEndAsync();
        var output = process.StandardOutput.ReadToEnd();
        process.WaitForExit();
        return process.ExitCode == 0 ? output : throw new InvalidOperationException($"{program} {string.Join(' ', arguments)}: {errors.Result}");
    }

    /// <summary>In memory where there is such a place: hundreds of syncs of a whole disk take minutes and prove nothing here.</summary>
    private static string NewFolder()
    {
        var memory = new DirectoryInfo("/dev/shm");
        return memory.Exists ? memory.CreateSubdirectory($"appliance-state-{Guid.NewGuid():N}").FullName : Directory.CreateTempSubdirectory("state").FullName;
    }

    private static string Python(string script, params string[] arguments) => Run("/usr/bin/python3", ["-c", script, .. arguments]);

    private static string Print(string root) => Printer.Value.Print(Path.Combine(root, "var/lib"));

    /// <summary>The old version's state, and the new one's, which was made from a copy of it.</summary>
    private static string MakeTemplate()
    {
        var folder = Directory.CreateTempSubdirectory("template").FullName;
        AppDomain.CurrentDomain.ProcessExit += (_, _) => Run("rm", "-rf", folder);
        // os._exit leaves a database as a power cut does: with its -wal and -shm.
        const string database = """
            import os, sqlite3, sys
            def left_open(path, *statements):
                db = sqlite3.connect(path, isolation_level=None); db.execute("PRAGMA journal_mode=wal"); db.execute("PRAGMA wal_autocheckpoint=0")
                for statement in statements: db.execute(statement)
                os._exit(0)
            left_open(*sys.argv[1:])
            """;
        var (old, shop) = (folder + "/old", folder + "/old/var/lib/shop");
        Run("/bin/sh", "-euc", $"""
            mkdir -p {shop}/tls/deep {old}/var/lib/old {old}/var/lib/appliance/etc/shop
            cd {shop}; echo token > token; chmod 0600 token; echo key > tls/deep/key; ln tls/deep/key tls/same-key; ln -s deep/key tls/link; ln -s nowhere dangling
            truncate -s 1M holes; chown 1234:2345 tls/deep tls/deep/key; chown -h 77:88 tls/link; chmod 2750 tls; chmod 0711 .; mkdir empty; echo spaces > 'a name with
            a line break'
            echo old > {old}/var/lib/old/only; echo 'schema: 1' > {old}/var/lib/appliance/etc/shop/shop.yaml; chmod 0640 {old}/var/lib/appliance/etc/shop/shop.yaml
            echo 'mode=1' > {old}/var/lib/appliance/etc/shop.conf
            """);
        Python("import os,sys; os.setxattr(sys.argv[1], 'user.origin', b'old'); os.setxattr(sys.argv[2], 'user.folder', b'yes')", shop + "/token", shop + "/tls");
        Python(database, shop + "/state.db", "CREATE TABLE t(schema INTEGER)", "INSERT INTO t VALUES(1)");
        Python(database, old + "/var/lib/single.db", "CREATE TABLE t(schema INTEGER)", "INSERT INTO t VALUES(1)");

        var (recent, changed) = (folder + "/new", folder + "/new/var/lib/shop");
        Run("cp", "-a", old, recent);
        Run("/bin/sh", "-euc", $"""
            cd {changed}; echo other-token > token; rm tls/link; ln -s ../token tls/link; rm dangling; mkdir dangling; echo x > dangling/x; rm -rf empty; echo f > empty; chmod 0700 .; chown 5:5 .
            rm -rf {recent}/var/lib/old; mkdir {recent}/var/lib/new; echo fresh > {recent}/var/lib/new/file; echo 'schema: 2' > {recent}/var/lib/appliance/etc/shop/shop.yaml
            echo more > {recent}/var/lib/appliance/etc/shop/more.yaml; echo 'mode=2, longer' > {recent}/var/lib/appliance/etc/shop.conf; chmod 0600 {recent}/var/lib/appliance/etc/shop.conf
            """);
        Python(database, changed + "/state.db", "INSERT INTO t VALUES(2)");
        Run("sqlite3", recent + "/var/lib/single.db", "PRAGMA journal_mode=delete; INSERT INTO t VALUES(2)"); // its -wal and -shm are gone
        return folder;
    }
}
