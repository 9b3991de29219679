using System.Diagnostics;
using ImageBuilder.Tests.Workloads;
using Npgsql;

namespace UpdateServer.Tests;

/// <summary>Debian's PostgreSQL, started once for the tests, reached by a socket in its own folder.</summary>
internal static class PostgresServer
{
    private static Process? _shell;
    private static readonly Lazy<Task<string>> Folder = new(StartAsync);

    /// <summary>Makes an empty database, and says how to reach it.</summary>
    public static async Task<string> CreateDatabaseAsync()
    {
        var folder = await Folder.Value;
        var name = $"fleet_{Guid.NewGuid():N}";
        await using var source = NpgsqlDataSource.Create(Connection(folder, "postgres"));
        await using var command = source.CreateCommand($"CREATE DATABASE {name}");
        await command.ExecuteNonQueryAsync();
        return Connection(folder, name);
    }

    private static string Connection(string folder, string database) => $"Host={folder};Username=postgres;Database={database};Maximum Pool Size=20";

    private static async Task<string> StartAsync()
    {
        var programs = Directory.GetDirectories("/usr/lib/postgresql").OrderDescending(StringComparer.Ordinal).Select(version => Path.Combine(version, "bin")).First(bin => File.Exists(Path.Combine(bin, "postgres")));
        var folder = Directory.CreateTempSubdirectory("postgres").FullName;
        // It does not run as root.
        if (Environment.IsPrivilegedProcess) SomeImage.Run("chown", "postgres", folder);
        var initialize = AsPostgres(Path.Combine(programs, "initdb"), "--pgdata", Path.Combine(folder, "data"), "--username=postgres", "--auth=trust", "--no-sync");
        SomeImage.Run(initialize[0], initialize[1..]);
        // When this program ends, however it does, the shell reads the end of its input.
        const string script = "\"$@\" >/dev/null 2>&1 & server=$!; cat >/dev/null; kill -INT $server; wait $server; rm -rf \"$0\"";
        _shell = Process.Start(new ProcessStartInfo("sh", ["-c", script, folder, .. AsPostgres(Path.Combine(programs, "postgres"), "-D", Path.Combine(folder, "data"), "-k", folder, "-c", "listen_addresses=", "-c", "fsync=off", "-c", "max_connections=300")]) { RedirectStandardInput = true, WorkingDirectory = "/" });
        await using var source = NpgsqlDataSource.Create(Connection(folder, "postgres"));
        await Eventually.IsTrueAsync(async () =>
        {
            try
            {
                await using var connection = await source.OpenConnectionAsync();
                return true;
            }
            catch (NpgsqlException)
            {
                return false;
            }
        }, "PostgreSQL");
        return folder;
    }

    private static string[] AsPostgres(params string[] command) => Environment.IsPrivilegedProcess ? ["env", "--chdir=/", "setpriv", "--reuid=postgres", "--regid=postgres", "--clear-groups", .. command] : command;
}
