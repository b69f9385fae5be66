# Programs that are not PowerShell.

function Invoke-Native {
    # Runs a program and returns what it prints, line by line. A failing program is an error here.
    param(
        [Parameter(Mandatory = $true)][string]$Program,
        [string[]]$Arguments = @()
    )
    # Under Stop, Windows PowerShell takes a program's first line on stderr for an exception.
    $ErrorActionPreference = 'Continue'
    $lines = @(& $Program @Arguments 2>$null)
    if ($LASTEXITCODE -ne 0) {
        throw "$Program $($Arguments -join ' ') ended with exit code $LASTEXITCODE."
    }
    return $lines
}
