using System.Net;
using System.Security.Cryptography;
using System.Text;
using System.Text.Json;
using System.Threading.RateLimiting;
using Appliance.Core;
using Appliance.Supervisor.Device;
using Serilog;

namespace Appliance.Supervisor.Access;

/// <summary>
/// Knows the device's owner: first by the setup code that the console shows, then by the password the owner sets with it. Attempts
/// are limited for every address, and one password at a time is checked, so that guessing costs the device little.
/// </summary>
internal sealed class OwnerAccess : IDisposable
{
    /// <summary>Fewest characters of a password.</summary>
    public const int ShortestPassword = 10;

    /// <summary>Most characters of a password.</summary>
    public const int LongestPassword = 256;

    /// <summary>Attempts that an address has at once; after that one every <see cref="NextAttempt"/>.</summary>
    public const int Attempts = 5;

    private const int MostSessions = 16, MostWaiting = 8, TokenSize = 32, CodeLength = 8;

    /// <summary>Crockford's Base32: no letter that looks like a digit.</summary>
    private const string CodeAlphabet = "0123456789ABCDEFGHJKMNPQRSTVWXYZ";

    private static readonly TimeSpan Life = TimeSpan.FromHours(12);

    private readonly string _path;
    private readonly TimeProvider _time;
    private readonly TimeSpan? _life;
    private readonly Lock _lock = new();
    private readonly PartitionedRateLimiter<IPAddress> _attempts = PartitionedRateLimiter.Create<IPAddress, IPAddress>(address => RateLimitPartition.GetTokenBucketLimiter(
        RemoteNetwork.Of(address), _ => new TokenBucketRateLimiterOptions { TokenLimit = Attempts, TokensPerPeriod = 1, ReplenishmentPeriod = NextAttempt, AutoReplenishment = true }));
    private readonly ConcurrencyLimiter _hashing = new(new ConcurrencyLimiterOptions { PermitLimit = 1, QueueLimit = MostWaiting });
    private AccessRecord _record;

    /// <summary>Reads who the owner is; a device that has none yet gets its setup code.</summary>
    /// <param name="path">The file it is kept in (0600).</param>
    /// <param name="time">The clock.</param>
    /// <param name="life">After this a password is good for setting the next one and for nothing else; null for never.</param>
    public OwnerAccess(string path, TimeProvider time, TimeSpan? life = null)
    {
        (_path, _time, _life) = (path, time, life);
        _record = StateFile.Read(path, AccessJson.Default.AccessRecord, record => record.Format, AccessRecord.CurrentFormat) ?? new AccessRecord();
        if (_record is { Password: null, SetupCode: null }) Set(record => record with { SetupCode = NewCode() });
    }

    /// <summary>Raised when the setup code is another one, or gone.</summary>
    public event Action? CodeChanged;

    /// <summary>How long an address waits for one more attempt.</summary>
    public static TimeSpan NextAttempt { get; } = TimeSpan.FromSeconds(10);

    /// <summary>The code the console shows, <c>XXXX-XXXX</c>; null once there is a password.</summary>
    public string? SetupCode => Record is { Password: null, SetupCode: { } code } ? $"{code[..4]}-{code[4..]}" : null;

    /// <summary>Whether the owner has set a password.</summary>
    public bool HasPassword => Record.Password is not null;

    /// <summary>Since when it is the one it is, where that is known.</summary>
    public DateTimeOffset? PasswordSince => Record.PasswordSince;

    /// <summary>Until when it is good for everything; null where it has no end.</summary>
    public DateTimeOffset? PasswordUntil => Record.PasswordSince + _life;

    private AccessRecord Record
    {
        get { lock (_lock) return _record; }
    }

    /// <summary>Counts an attempt to show who one is; false when an address has had too many.</summary>
    public bool TryAttempt(IPAddress from)
    {
        using var attempt = _attempts.AttemptAcquire(from);
        return attempt.IsAcquired;
    }

    /// <summary>Logs in with the password, or with the setup code while there is none.</summary>
    public async Task<LogIn> LogInAsync(string secret, IPAddress from, CancellationToken cancellationToken)
    {
        if (!TryAttempt(from)) return LogIn.Later;
        var record = Record;
        if (record.Password is not { } password) return record.SetupCode is { } code && Same(code, Plain(secret)) ? Begin(setup: true) : LogIn.Wrong;
        return await MatchesAsync(password, secret, cancellationToken) switch { true => Begin(setup: PasswordUntil <= _time.GetUtcNow()), false => LogIn.Wrong, null => LogIn.Later };
    }

    /// <summary>Logs in whoever has shown a certificate of the device's client authority.</summary>
    /// <param name="name">Whose it is.</param>
    /// <param name="until">When it ends; the log-in does not outlive it.</param>
    public LogIn LogInWithCertificate(string name, DateTimeOffset until) => Begin(setup: false, name, until);

    /// <summary>The log-in a token stands for, or null.</summary>
    public Session? Find(string? token)
    {
        if (string.IsNullOrEmpty(token)) return null;
        var (hash, now) = (Hash(token), _time.GetUtcNow());
        return Record.Sessions.FirstOrDefault(session => session.Until > now && Same(session.Hash, hash));
    }

    /// <summary>Ends a log-in.</summary>
    public void LogOut(Session session) => Set(record => record with { Sessions = record.Sessions.Where(other => other.Hash != session.Hash).ToList() });

    /// <summary>Sets the owner's password. The setup code and every other log-in end; this one goes on as one of the owner.</summary>
    /// <exception cref="UserError">The password is too short or too long, the present one is wrong, or the disk cannot be written.</exception>
    public async Task SetPasswordAsync(Session session, string? present, string password, IPAddress from, CancellationToken cancellationToken)
    {
        if (password.Length is < ShortestPassword or > LongestPassword) throw new UserError($"A password has {ShortestPassword} to {LongestPassword} characters.", "Some words in a row are good and easily kept in mind.");
        if (Record.Password is { } old)
        {
            // Whoever took over a log-in must not find the password out with it.
            if (!TryAttempt(from)) throw new UserError("There were too many attempts.", $"Try again in {NextAttempt.TotalSeconds:0} seconds.");
            if (await MatchesAsync(old, present ?? "", cancellationToken) != true) throw new UserError("The present password is another one.", "Type it again; appliancectl setup-code --reset on the device makes a new beginning.");
            if (password == present) throw new UserError("That is the password that the device has.", "Choose another one.");
        }
        var hash = await Task.Run(() => PasswordHash.Of(password), cancellationToken);
        if (!Set(before => before with { Password = hash, PasswordSince = _time.GetUtcNow(), SetupCode = null, Sessions = [session with { Setup = false }] }, evenUnwritten: false)) throw new UserError("The password could not be stored.", "See why the data partition cannot be written (journalctl -u appliance-supervisor).");
        CodeChanged?.Invoke();
        Log.Information("The owner's password was set");
    }

    /// <summary>Takes a setup code of somebody's choice, while there is no password.</summary>
    public void Propose(string code)
    {
        if (Record is not { Password: null } record || record.SetupCode == Plain(code)) return;
        Set(before => before with { SetupCode = Plain(code) });
        CodeChanged?.Invoke();
    }

    /// <summary>Forgets the password and every log-in; whoever has the new code is the owner.</summary>
    public string Reset()
    {
        Set(_ => new AccessRecord { SetupCode = NewCode() });
        CodeChanged?.Invoke();
        Log.Warning("The owner's password was forgotten; the console shows a new setup code");
        return SetupCode!;
    }

    /// <inheritdoc/>
    public void Dispose()
    {
        _attempts.Dispose();
        _hashing.Dispose();
    }

    private LogIn Begin(bool setup, string? name = null, DateTimeOffset? until = null)
    {
        var (token, now) = (Random(), _time.GetUtcNow());
        var session = new Session(Hash(token), Random(), until < now + Life ? until.Value : now + Life, setup, name);
        Set(record => record with { Sessions = [.. record.Sessions.Where(other => other.Until > now).TakeLast(MostSessions - 1), session] });
        return new LogIn(token, session, null);
    }

    /// <summary>Null when too many wait for the same.</summary>
    private async Task<bool?> MatchesAsync(string hash, string password, CancellationToken cancellationToken)
    {
        using var turn = await _hashing.AcquireAsync(1, cancellationToken);
        if (!turn.IsAcquired) return null;
        return password.Length <= LongestPassword && await Task.Run(() => PasswordHash.Matches(hash, password), cancellationToken);
    }

    /// <summary>Changes the record. What cannot be written may hold until the next start: a full disk must not lock the owner out.</summary>
    private bool Set(Func<AccessRecord, AccessRecord> change, bool evenUnwritten = true)
    {
        lock (_lock)
        {
            var before = _record;
            _record = change(_record);
            try
            {
                DurableFile.Write(_path, JsonSerializer.SerializeToUtf8Bytes(_record, AccessJson.Default.AccessRecord));
                return true;
            }
            catch (Exception e) when (e is IOException or UnauthorizedAccessException)
            {
                Log.Error("The record of access {Path} could not be written: {Reason}", _path, e.Message);
                if (!evenUnwritten) _record = before;
                return evenUnwritten;
            }
        }
    }

    private static string NewCode() => RandomNumberGenerator.GetString(CodeAlphabet, CodeLength);

    /// <summary>A code as people type it: any case, with or without the dash, O for 0 and I or L for 1.</summary>
    private static string Plain(string code) => code.ToUpperInvariant().Replace("-", "", StringComparison.Ordinal).Replace(" ", "", StringComparison.Ordinal).Replace('O', '0').Replace('I', '1').Replace('L', '1');

    private static string Random() => Convert.ToHexStringLower(RandomNumberGenerator.GetBytes(TokenSize));

    private static string Hash(string token) => Convert.ToHexStringLower(SHA256.HashData(Encoding.UTF8.GetBytes(token)));

    private static bool Same(string one, string other) => CryptographicOperations.FixedTimeEquals(Encoding.UTF8.GetBytes(one), Encoding.UTF8.GetBytes(other));
}
