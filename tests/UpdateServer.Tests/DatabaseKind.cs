namespace UpdateServer.Tests;

/// <summary>The databases that the server works with; what holds for one holds for the other.</summary>
public enum DatabaseKind
{
    Sqlite,
    Postgres,
}
