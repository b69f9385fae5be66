# What has to hold before anything is changed.

function Assert-Administrator {
    $identity = [Security.Principal.WindowsIdentity]::GetCurrent()
    $principal = New-Object Security.Principal.WindowsPrincipal($identity)
    if (-not $principal.IsInRole([Security.Principal.WindowsBuiltInRole]::Administrator)) {
        throw 'This script changes the firewall and services: start PowerShell as administrator and run it again.'
    }
}

function Get-AddressList {
    # `powershell -File` hands over a,b as one word and a call in the console hands over two: both mean the same.
    param([string[]]$Given = @())
    $found = @()
    foreach ($word in $Given) {
        foreach ($part in ($word -split '[,;\s]+')) {
            if ($part) {
                Assert-Address -Address $part
                $found += $part
            }
        }
    }
    return @($found | Select-Object -Unique)
}

function Assert-Address {
    param([Parameter(Mandatory = $true)][string]$Address)
    $parsed = $null
    if (-not [Net.IPAddress]::TryParse($Address, [ref]$parsed)) {
        throw "'$Address' is not an address. Give numbers such as 192.168.1.100: names, ranges and wildcards are refused."
    }
    if ($parsed.AddressFamily -eq [Net.Sockets.AddressFamily]::InterNetwork -and $Address -notmatch '^\d+\.\d+\.\d+\.\d+$') {
        throw "'$Address' is not a whole address. Give all four numbers, such as 192.168.1.100."
    }
    if ($parsed.Equals([Net.IPAddress]::Any) -or $parsed.Equals([Net.IPAddress]::IPv6Any) -or $parsed.Equals([Net.IPAddress]::Broadcast)) {
        throw "'$Address' would let every machine in. Name the cluster's machines one by one."
    }
}
